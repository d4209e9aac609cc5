//! Each format gives back what it was given, and says where a file is wrong.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Date32Array, Decimal64Array,
    Decimal128Array, Float64Array, Int64Array, RecordBatch, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use llkv_files::{open_sink, open_source};
use llkv_plan::{ExternalSource, FileFormat, FileOptions};
use llkv_result::{Error, FileError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn sample() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "flag",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ),
        (
            "n",
            Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(7), None])),
        ),
        (
            "x",
            Arc::new(Float64Array::from(vec![Some(0.1), None, Some(-1e300)])),
        ),
        (
            "price",
            Arc::new(
                Decimal64Array::from(vec![Some(-199), None, Some(0)])
                    .with_precision_and_scale(15, 2)
                    .unwrap(),
            ),
        ),
        (
            "big",
            Arc::new(
                Decimal128Array::from(vec![Some(10_i128.pow(30)), None, Some(-1)])
                    .with_precision_and_scale(38, 3)
                    .unwrap(),
            ),
        ),
        (
            "name",
            Arc::new(StringViewArray::from(vec![
                Some("with, comma, \"quotes\" and\nline"),
                None,
                Some("ünï"),
            ])),
        ),
        (
            "day",
            Arc::new(Date32Array::from(vec![Some(0), None, Some(19_000)])),
        ),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(1_700_000_000_123_456),
                None,
                Some(0),
            ])),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn write(path: &Path, batches: &[RecordBatch], options: &FileOptions) {
    let mut sink = open_sink(path, options, batches[0].schema()).unwrap();
    for batch in batches {
        sink.write(batch).unwrap();
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(sink.finish().unwrap(), rows as u64);
}

fn read_all(source: &dyn ExternalSource, projection: &[usize], batch_rows: usize) -> RecordBatch {
    let batches: Vec<RecordBatch> = (0..source.partitions())
        .flat_map(|p| source.read(p, projection, batch_rows).unwrap())
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(batches.iter().all(|b| b.num_rows() <= batch_rows));
    let schema = Arc::new(source.schema().project(projection).unwrap());
    concat_batches(&schema, &batches).unwrap()
}

fn assert_same(got: &RecordBatch, expected: &RecordBatch) {
    assert_eq!(got.num_rows(), expected.num_rows());
    for ((got, expected), field) in got
        .columns()
        .iter()
        .zip(expected.columns())
        .zip(expected.schema().fields())
    {
        assert_eq!(got, expected, "column {}", field.name());
    }
}

#[test]
fn every_format_gives_back_what_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let batch = sample();
    for ending in ["csv", "ndjson", "parquet", "arrow"] {
        let path = folder.path().join(format!("t.{ending}"));
        write(
            &path,
            &[batch.clone(), batch.clone()],
            &FileOptions::default(),
        );
        let options = FileOptions {
            columns: Some(batch.schema()),
            ..FileOptions::default()
        };
        let source = open_source(&path, &options).unwrap();
        let all: Vec<usize> = (0..batch.num_columns()).collect();
        let expected = concat_batches(&batch.schema(), [&batch, &batch]).unwrap();
        assert_same(&read_all(source.as_ref(), &all, 2), &expected);
        // Any order, any part, even none of the columns.
        let some = read_all(source.as_ref(), &[5, 1], 100);
        assert_same(&some, &expected.project(&[5, 1]).unwrap());
        let rows: usize = (0..source.partitions())
            .flat_map(|p| source.read(p, &[], 4).unwrap())
            .map(|b| b.unwrap().num_rows())
            .sum();
        assert_eq!(rows, 6, "{ending} without columns");
    }
}

#[test]
fn no_file_appears_before_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let batch = sample();
    let mut sink = open_sink(&path, &FileOptions::default(), batch.schema()).unwrap();
    sink.write(&batch).unwrap();
    assert!(!path.exists());
    drop(sink);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn row_groups_read_side_by_side_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wide.parquet");
    let rows = 4 * llkv_types::ROW_GROUP_ROWS as i64;
    let columns = (0..4).map(|c| {
        let values: ArrayRef = Arc::new((0..rows).map(|i| i * 7919 + c).collect::<Int64Array>());
        (format!("c{c}"), values)
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    write(&path, &[batch], &FileOptions::default());
    let source = open_source(&path, &FileOptions::default()).unwrap();
    assert_eq!(source.partitions(), 4);
    for _ in 0..5 {
        std::thread::scope(|scope| {
            for partition in 0..4 {
                let source = Arc::clone(&source);
                scope.spawn(move || {
                    let mut next = partition * llkv_types::ROW_GROUP_ROWS as i64;
                    for batch in source.read(partition as usize, &[3, 0], 8_192).unwrap() {
                        let batch = batch.unwrap();
                        let values = batch.column(1).as_primitive::<Int64Type>();
                        for value in values.values() {
                            assert_eq!(*value, next * 7919);
                            next += 1;
                        }
                    }
                    assert_eq!(next, (partition + 1) * llkv_types::ROW_GROUP_ROWS as i64);
                });
            }
        });
    }
}

fn csv(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn csv_types_and_header_are_found_out() {
    let (_folder, path) = csv("id,name,price,day\n1,a,1.5,2024-02-29\n2,,,\n");
    let source = open_source(&path, &FileOptions::default()).unwrap();
    let schema = source.schema();
    let types: Vec<&DataType> = schema.fields().iter().map(|f| f.data_type()).collect();
    assert_eq!(
        types,
        [
            &DataType::Int64,
            &DataType::Utf8View,
            &DataType::Float64,
            &DataType::Date32
        ]
    );
    let rows = read_all(source.as_ref(), &[0, 1], 10);
    assert_eq!(rows.num_rows(), 2);
    assert!(rows.column(1).is_null(1));
}

#[test]
fn csv_without_a_header_keeps_its_first_line() {
    let (_folder, path) = csv("1,a\n2,b\n");
    let source = open_source(&path, &FileOptions::default()).unwrap();
    assert_eq!(source.schema().field(0).name(), "column0");
    assert_eq!(read_all(source.as_ref(), &[0], 10).num_rows(), 2);
}

#[test]
fn csv_with_given_columns_keeps_leading_zeros() {
    let (_folder, path) = csv("code\n007\n042\n");
    let columns = Arc::new(Schema::new(vec![Field::new(
        "code",
        DataType::Utf8View,
        true,
    )]));
    let options = FileOptions {
        columns: Some(columns),
        header: Some(true),
        ..FileOptions::default()
    };
    let rows = read_all(open_source(&path, &options).unwrap().as_ref(), &[0], 10);
    assert_eq!(rows.column(0).as_string_view().value(0), "007");
}

#[test]
fn a_value_that_does_not_fit_is_an_error_with_its_place() {
    let (_folder, path) = csv("n\n1\n2\nthree\n");
    let columns = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    let options = FileOptions {
        columns: Some(columns),
        header: Some(true),
        ..FileOptions::default()
    };
    let source = open_source(&path, &options).unwrap();
    let error = source
        .read(0, &[0], 10)
        .unwrap()
        .find_map(Result::err)
        .unwrap();
    let text = error.to_string();
    assert!(text.contains("three") && text.contains("line"), "{text}");
    assert_eq!(error.sqlstate(), "22P04");
}

#[test]
fn json_errors_name_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.ndjson");
    std::fs::write(&path, "{\"a\": 1}\n\n[2]\n").unwrap();
    match open_source(&path, &FileOptions::default()) {
        Err(Error::File(FileError::Malformed { line, .. })) => assert_eq!(line, Some(3)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn json_columns_are_gathered_over_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.ndjson");
    std::fs::write(
        &path,
        "{\"a\":1,\"b\":{\"c\":[1,2]}}\n{\"d\":\"x\",\"a\":2.5}\n",
    )
    .unwrap();
    let source = open_source(&path, &FileOptions::default()).unwrap();
    let rows = read_all(source.as_ref(), &[0, 1, 2], 10);
    assert_eq!(rows.column(0).data_type(), &DataType::Float64);
    assert_eq!(rows.column(1).as_string_view().value(0), "{\"c\":[1,2]}");
    assert!(rows.column(2).is_null(0));
}

#[test]
fn blobs_are_hexadecimal_in_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let blob: ArrayRef = Arc::new(BinaryViewArray::from_iter_values([[0u8, 255]]));
    let batch = RecordBatch::try_from_iter([("b", blob)]).unwrap();
    write(&path, &[batch], &FileOptions::default());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "b\n\\x00ff\n");
}

#[test]
fn unknown_formats_and_missing_files_are_clear_errors() {
    let none = open_source(Path::new("no/such/file.csv"), &FileOptions::default());
    assert!(matches!(none, Err(Error::File(FileError::Io { .. }))));
    let unknown = open_source(Path::new("x.xlsx"), &FileOptions::default());
    assert!(matches!(
        unknown,
        Err(Error::File(FileError::UnknownFormat { .. }))
    ));
    let (_folder, path) = csv("not a parquet file");
    let options = FileOptions {
        format: Some(FileFormat::Parquet),
        ..FileOptions::default()
    };
    let garbled = open_source(&path, &options);
    assert!(matches!(
        garbled,
        Err(Error::File(FileError::Malformed { .. }))
    ));
}
