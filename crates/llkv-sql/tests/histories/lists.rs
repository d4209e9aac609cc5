//! Lists in SQL: how each kind is made, appended to and read.

use crate::history::{Element, Kept, Key};
use crate::simulated::{Chance, Row, Value, query, run};
use llkv_result::Result;
use llkv_sql::Session;

pub const SCHEMA: &str = "
    CREATE TABLE entries (k INTEGER, place INTEGER, e BIGINT, PRIMARY KEY (k, place));
    CREATE TABLE texts (k INTEGER PRIMARY KEY, v TEXT);
    CREATE TABLE members (k INTEGER, e BIGINT);
    CREATE INDEX members_by_k ON members (k);
";

/// Appends so many elements to a list before another one takes its place.
const LENGTH: u64 = 40;
/// Lists of each kind that are appended to at a time.
const LISTS: u64 = 4;

/// A list for the `number`th operation of a history: few at a time, so that transactions meet.
pub fn choose(chance: &mut Chance, number: u64) -> Key {
    let kept = *chance.pick(&[Kept::Rows, Kept::Text, Kept::Set]);
    // Half of the operations append.
    let generation = number / (LENGTH * LISTS * 3 * 2);
    let list = chance.below(LISTS);
    // Now and then one that was left long ago.
    let generation = match chance.percent(3) {
        true => chance.below(generation + 1),
        false => generation,
    };
    Key {
        kept,
        number: (generation * LISTS + list) as u32,
    }
}

pub fn append(session: &Session, chance: &mut Chance, key: Key, element: Element) -> Result<()> {
    let k = key.number;
    match key.kept {
        Kept::Rows => {
            let sql = "INSERT INTO entries SELECT {k}, count(*), {e} FROM entries WHERE k = {k}";
            let sql = sql.replace("{k}", &k.to_string());
            run(session, &sql.replace("{e}", &element.to_string()))?;
        }
        Kept::Set => {
            run(
                session,
                &format!("INSERT INTO members VALUES ({k}, {element})"),
            )?;
        }
        Kept::Text => append_text(session, chance, k, element)?,
    }
    Ok(())
}

fn append_text(session: &Session, chance: &mut Chance, k: u32, element: Element) -> Result<()> {
    if session.in_transaction() && chance.percent(50) {
        let update = format!("UPDATE texts SET v = v || ' {element}' WHERE k = {k}");
        if run(session, &update)? == 0 {
            run(
                session,
                &format!("INSERT INTO texts VALUES ({k}, '{element}')"),
            )?;
        }
        return Ok(());
    }
    let upsert = format!(
        "INSERT INTO texts VALUES ({k}, '{element}')
         ON CONFLICT (k) DO UPDATE SET v = texts.v || ' ' || excluded.v"
    );
    run(session, &upsert).map(drop)
}

/// Reads a list, by its index or by looking at all rows.
pub fn read(session: &Session, chance: &mut Chance, key: Key) -> Result<Vec<Element>> {
    let plus = if chance.percent(80) { "" } else { " + 0" };
    let is_it = format!("WHERE k{plus} = {}", key.number);
    let sql = match key.kept {
        Kept::Rows => format!("SELECT e FROM entries {is_it} ORDER BY place"),
        Kept::Set => format!("SELECT e FROM members {is_it}"),
        Kept::Text => format!("SELECT v FROM texts {is_it}"),
    };
    let rows = query(session, &sql)?;
    Ok(match key.kept {
        Kept::Text => rows.iter().flat_map(words).collect(),
        _ => rows.iter().map(number).collect(),
    })
}

fn number(row: &Row) -> Element {
    match row.as_slice() {
        [Value::Int(element)] => *element as Element,
        other => panic!("{other:?} is no element"),
    }
}

fn words(row: &Row) -> Vec<Element> {
    match row.as_slice() {
        [Value::Text(text)] => text.split(' ').map(|word| word.parse().unwrap()).collect(),
        other => panic!("{other:?} is no list"),
    }
}
