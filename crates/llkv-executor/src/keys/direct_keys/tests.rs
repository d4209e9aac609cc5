//! Groups by digits are those of a map from keys to numbers.

use super::*;
use crate::keys::GroupTable;
use arrow::array::{
    BooleanArray, Date32Array, DictionaryArray, Int8Array, Int64Array, StringViewArray, UInt32Array,
};
use proptest::prelude::*;
use std::collections::HashMap;

type Row = (Option<u32>, Option<i64>, Option<bool>);

/// Texts, of which some dictionaries share some.
fn dictionary(len: usize, salt: usize) -> ArrayRef {
    let words = (0..len).map(|i| format!("a word, the {}th", (i + salt) % 9));
    Arc::new(StringViewArray::from_iter_values(words))
}

/// What a batch is made of: the texts of its dictionary, what its numbers are moved by, its rows.
fn batch() -> impl Strategy<Value = (usize, usize, i64, Vec<Row>)> {
    let row = (
        prop::option::weighted(0.9, 0_u32..6),
        prop::option::weighted(0.9, -3_i64..40),
        prop::option::weighted(0.9, any::<bool>()),
    );
    let moved = prop_oneof![
        4 => Just(0_i64),
        2 => -200_i64..200,
        1 => Just(i64::MAX / 2),
        1 => Just(i64::MIN + 3),
    ];
    let rows = prop::collection::vec(row, 1..60);
    (1_usize..7, 0_usize..9, moved, rows)
}

/// Columns of a batch, texts as codes.
fn columns(len: usize, salt: usize, moved: i64, rows: &[Row]) -> Vec<ArrayRef> {
    let codes = rows.iter().map(|row| row.0.map(|code| code % len as u32));
    let texts = DictionaryArray::try_new(codes.collect::<UInt32Array>(), dictionary(len, salt));
    let ints = rows.iter().map(|row| row.1.map(|n| n + moved));
    let dates = rows.iter().map(|row| row.1.map(|n| n as i32));
    let bits = rows.iter().map(|row| row.2);
    let bytes = rows.iter().map(|row| row.1.map(|n| (n * 3) as i8));
    vec![
        Arc::new(texts.unwrap()),
        Arc::new(ints.collect::<Int64Array>()),
        Arc::new(bits.collect::<BooleanArray>()),
        Arc::new(dates.collect::<Date32Array>()),
        Arc::new(bytes.collect::<Int8Array>()),
    ]
}

proptest! {
    #[test]
    fn groups_are_those_of_a_map(
        batches in prop::collection::vec((batch(), any::<bool>(), any::<bool>()), 1..12),
        chosen in prop::sample::subsequence(vec![0_usize, 1, 2, 3, 4], 1..4),
    ) {
        let all = columns(1, 0, 0, &[(None, None, None)]);
        let types: Vec<(DataType, bool)> = chosen.iter().map(|at| match all[*at].data_type() {
            DataType::Dictionary(_, values) => (values.as_ref().clone(), true),
            other => (other.clone(), true),
        }).collect();
        let mut table = GroupTable::new(&types).unwrap();
        let (mut numbers, mut groups) = (HashMap::new(), Vec::new());
        for ((len, salt, moved, rows), as_plain, clear) in batches {
            if clear {
                table.clear();
                numbers.clear();
            }
            let all = columns(len, salt, moved, &rows);
            let given: Vec<ArrayRef> = chosen.iter().map(|at| Arc::clone(&all[*at])).collect();
            let plain: Vec<ArrayRef> = given.iter().map(|key| decoded(key).unwrap()).collect();
            // Twice: what is known by then is found again.
            for _ in 0..2 {
                table.intern(if as_plain { &plain } else { &given }, rows.len(), &mut groups).unwrap();
                let shown: Vec<String> = (0..rows.len()).map(|row| format!("{:?}", plain.iter().map(|key| key.slice(row, 1)).collect::<Vec<_>>())).collect();
                for (shown, group) in shown.into_iter().zip(&groups) {
                    let next = numbers.len() as u32;
                    prop_assert_eq!(*group, *numbers.entry(shown).or_insert(next));
                }
            }
            prop_assert_eq!(table.len(), numbers.len());
            let keys = table.keys(0, table.len()).unwrap();
            for (row, group) in groups.iter().enumerate() {
                for (key, of_group) in plain.iter().zip(&keys) {
                    let (given, kept) = (key.slice(row, 1), of_group.slice(*group as usize, 1));
                    prop_assert_eq!(&given, &kept);
                }
            }
        }
    }

    /// What is remembered while the span of numbers grows to both sides, a batch at a time, and jumps.
    #[test]
    fn spans_that_grow_keep_their_groups(
        parts in prop::collection::vec((-2_000_i64..2_000, 1_usize..300), 1..12),
        far in prop::option::of(0_usize..12),
    ) {
        let mut direct = DirectKeys::default();
        let mut groups = Vec::new();
        let mut numbers: HashMap<i64, u32> = HashMap::new();
        for (at, (start, count)) in parts.into_iter().enumerate() {
            let start = if far == Some(at) { start << 40 } else { start };
            let values: Vec<i64> = (start..start + count as i64).collect();
            let key: ArrayRef = Arc::new(Int64Array::from(values.clone()));
            direct.pause = 0;
            if !direct.place(&[key], count, 5_000).unwrap() {
                continue;
            }
            direct.groups(&mut groups);
            let new = direct.take_new();
            let keys = direct.keys_of(&new).unwrap();
            let keys = keys[0].as_primitive::<arrow::datatypes::Int64Type>();
            let found: Vec<u32> = keys.values().iter().map(|key| {
                let next = numbers.len() as u32;
                *numbers.entry(*key).or_insert(next)
            }).collect();
            direct.learn(&new, &found, 0);
            prop_assert!(direct.groups(&mut groups));
            let expected: Vec<u32> = values.iter().map(|value| numbers[value]).collect();
            prop_assert_eq!(&groups, &expected);
            prop_assert!(direct.group_of.len() <= limit(count, 5_000));
        }
    }
}

#[test]
fn keys_that_never_come_back_are_left_to_the_table() {
    let mut table = GroupTable::new(&[(DataType::Int64, true)]).unwrap();
    let mut groups = Vec::new();
    for start in (0..100_000).step_by(1_000) {
        let key: ArrayRef = Arc::new(Int64Array::from_iter_values(start..start + 1_000));
        table.intern(&[key], 1_000, &mut groups).unwrap();
    }
    assert_eq!(table.len(), 100_000);
    let mut direct = DirectKeys::default();
    let key: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000));
    let keys = std::slice::from_ref(&key);
    assert!(direct.place(keys, 1_000, 0).unwrap());
    let new = direct.take_new();
    direct.learn(&new, &(0..1_000).collect::<Vec<u32>>(), 1_000);
    for _ in 0..FIRST_PAUSE {
        assert!(!direct.place(keys, 1_000, 1_000).unwrap());
    }
    // What is far from where the keys were has an array of its own.
    let far: ArrayRef = Arc::new(Int64Array::from_iter_values(50_000..51_000));
    assert!(direct.place(&[far], 1_000, 100_000).unwrap());
    assert_eq!(direct.group_of.len(), 1_001);
    // Groups that are only not known here do not count.
    for _ in 0..3 {
        assert!(direct.place(keys, 1_000, 1_000).unwrap());
        direct.clear();
        let new = direct.take_new();
        direct.learn(&new, &(0..1_000).collect::<Vec<u32>>(), 0);
    }
}

#[test]
fn texts_of_many_dictionaries_take_no_more_than_their_place() {
    let mut table =
        GroupTable::new(&[(DataType::Utf8View, false), (DataType::Int64, false)]).unwrap();
    let mut groups = Vec::new();
    let ints: ArrayRef = Arc::new(Int64Array::from_iter_values((0..3_000).map(|n| n % 4)));
    for part in 0..40 {
        let texts = (0..3_000).map(|n| format!("text {} of {part}", n % 3_000));
        let codes = UInt32Array::from_iter_values(0..3_000);
        let values: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
        let coded: ArrayRef = Arc::new(DictionaryArray::try_new(codes, values).unwrap());
        table
            .intern(&[coded, Arc::clone(&ints)], 3_000, &mut groups)
            .unwrap();
        assert_eq!(
            (groups[0], groups[2_999]),
            (part * 3_000, part * 3_000 + 2_999)
        );
    }
    assert_eq!(table.len(), 120_000);
}
