//! A wide table of page views, with long texts and many small numbers, and questions that people ask of such tables.

use crate::data::{DataFolder, Random};
use arrow::array::{
    ArrayRef, Date32Array, Int16Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use std::error::Error;
use std::ops::Range;
use std::sync::Arc;

/// The first moment of the table, in seconds since 1970: 2025-06-01.
const FIRST_S: i64 = 1_748_736_000;
const DAY_S: i64 = 86_400;
const DAYS: u64 = 30;

/// Small numbers of each view that hardly anybody asks for: `m0`, `m1`, ...
const MEASURES: [&str; 24] = [
    "m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9", "m10", "m11", "m12", "m13", "m14",
    "m15", "m16", "m17", "m18", "m19", "m20", "m21", "m22", "m23",
];

/// The table's columns before the measures.
const COLUMNS: &str = "view_id BIGINT, viewed_at TIMESTAMP, viewed_on DATE, site INTEGER, visitor BIGINT, \
    session BIGINT, address INTEGER, region INTEGER, country VARCHAR, browser VARCHAR, system VARCHAR, \
    is_mobile SMALLINT, width SMALLINT, height SMALLINT, url VARCHAR, referrer VARCHAR, title VARCHAR, \
    phrase VARCHAR, load_ms INTEGER, stay_s INTEGER, bytes BIGINT";

/// The columns of the table `views`.
#[must_use]
pub fn columns() -> String {
    let measures = MEASURES.iter().map(|name| format!(", {name} SMALLINT"));
    COLUMNS.to_owned() + &measures.collect::<String>()
}

/// The questions: names, and queries that give their rows in one order.
#[must_use]
pub fn queries() -> Vec<(&'static str, String)> {
    let wide: Vec<String> = (0..60).map(|k| format!("sum(width + {k})")).collect();
    let wide = format!("SELECT {} FROM views", wide.join(", "));
    let fixed = QUERIES.iter().map(|(name, sql)| (*name, (*sql).to_owned()));
    fixed.chain([("wide sums", wide)]).collect()
}

const QUERIES: [(&str, &str); 27] = [
    ("count", "SELECT count(*) FROM views"),
    (
        "count some",
        "SELECT count(*) FROM views WHERE is_mobile <> 0",
    ),
    (
        "sums",
        "SELECT sum(load_ms), count(*), avg(width), min(stay_s), max(bytes) FROM views",
    ),
    ("average of ids", "SELECT avg(visitor) FROM views"),
    (
        "distinct visitors",
        "SELECT count(DISTINCT visitor) FROM views",
    ),
    (
        "distinct phrases",
        "SELECT count(DISTINCT phrase) FROM views",
    ),
    ("distinct urls", "SELECT count(DISTINCT url) FROM views"),
    (
        "range of days",
        "SELECT min(viewed_on), max(viewed_on) FROM views",
    ),
    (
        "few groups",
        "SELECT browser, count(*) AS n, avg(load_ms) FROM views WHERE is_mobile = 1 GROUP BY browser ORDER BY n DESC, browser",
    ),
    (
        "visitors by region",
        "SELECT region, count(DISTINCT visitor) AS n FROM views GROUP BY region ORDER BY n DESC, region LIMIT 10",
    ),
    (
        "much by region",
        "SELECT region, sum(load_ms), count(*) AS n, avg(width), count(DISTINCT visitor) FROM views \
         GROUP BY region ORDER BY n DESC, region LIMIT 10",
    ),
    (
        "phrases",
        "SELECT phrase, count(*) AS n FROM views WHERE phrase <> '' GROUP BY phrase ORDER BY n DESC, phrase LIMIT 10",
    ),
    (
        "visitors by phrase",
        "SELECT phrase, count(DISTINCT visitor) AS n FROM views WHERE phrase <> '' GROUP BY phrase \
         ORDER BY n DESC, phrase LIMIT 10",
    ),
    (
        "site and phrase",
        "SELECT site, phrase, count(*) AS n FROM views WHERE phrase <> '' GROUP BY site, phrase \
         ORDER BY n DESC, site, phrase LIMIT 10",
    ),
    (
        "top visitors",
        "SELECT visitor, count(*) AS n FROM views GROUP BY visitor ORDER BY n DESC, visitor LIMIT 10",
    ),
    (
        "visitor, minute, phrase",
        "SELECT visitor, extract(minute FROM viewed_at) AS minute, phrase, count(*) AS n FROM views \
         GROUP BY visitor, minute, phrase ORDER BY n DESC, visitor, minute, phrase LIMIT 10",
    ),
    (
        "one visitor",
        "SELECT view_id, visitor FROM views WHERE visitor = 4321 ORDER BY view_id",
    ),
    (
        "text within",
        "SELECT count(*) FROM views WHERE url LIKE '%basket%'",
    ),
    (
        "text within, by phrase",
        "SELECT phrase, min(url), count(*) AS n FROM views WHERE url LIKE '%basket%' AND phrase <> '' \
         GROUP BY phrase ORDER BY n DESC, phrase LIMIT 10",
    ),
    (
        "texts within",
        "SELECT phrase, min(title), count(*) AS n, count(DISTINCT visitor) FROM views \
         WHERE title LIKE '%market%' AND url NOT LIKE '%.example/a%' AND phrase <> '' \
         GROUP BY phrase ORDER BY n DESC, phrase LIMIT 10",
    ),
    (
        "whole rows",
        "SELECT * FROM views WHERE url LIKE '%basket%' ORDER BY viewed_at, view_id LIMIT 10",
    ),
    (
        "last phrases",
        "SELECT phrase FROM views WHERE phrase <> '' ORDER BY viewed_at DESC, phrase LIMIT 10",
    ),
    (
        "first phrases",
        "SELECT phrase FROM views WHERE phrase <> '' ORDER BY phrase LIMIT 10",
    ),
    (
        "hosts by expression",
        "SELECT regexp_replace(referrer, '^https?://(?:www\\.)?([^/]+)/.*$', '\\1') AS host, \
         avg(length(referrer)) AS len, count(*) AS n, min(referrer) FROM views WHERE referrer <> '' \
         GROUP BY host HAVING count(*) > 100 ORDER BY len DESC, host LIMIT 25",
    ),
    (
        "address and session",
        "SELECT address, session, count(*) AS n, sum(is_mobile), avg(width) FROM views \
         GROUP BY address, session ORDER BY n DESC, address, session LIMIT 10",
    ),
    (
        "top urls",
        "SELECT url, count(*) AS n FROM views GROUP BY url ORDER BY n DESC, url LIMIT 10",
    ),
    (
        "minutes of a site",
        "SELECT date_trunc('minute', viewed_at) AS minute, count(*) AS n FROM views \
         WHERE site = 3 AND viewed_on >= DATE '2025-06-10' AND viewed_on <= DATE '2025-06-11' \
         GROUP BY minute ORDER BY minute LIMIT 1000",
    ),
];

/// Writes the file of the table.
///
/// # Errors
/// When it cannot be written.
pub fn write_table(folder: &DataFolder, rows: usize) -> Result<(), Box<dyn Error>> {
    let mut random = Random::new(7);
    let texts = Texts::new(&mut random);
    let mut session = Session::default();
    folder.write("views", rows, |range| {
        columns_of(&mut random, &texts, &mut session, range, rows)
    })
}

/// Texts are put together of made-up words.
struct Texts {
    words: Vec<String>,
    hosts: Vec<String>,
}

impl Texts {
    fn new(random: &mut Random) -> Self {
        const STARTS: [&str; 16] = [
            "b", "br", "ch", "d", "f", "gr", "h", "k", "l", "m", "n", "p", "s", "st", "t", "v",
        ];
        const MIDDLES: [&str; 8] = ["a", "e", "i", "o", "u", "ai", "ea", "ou"];
        const ENDS: [&str; 8] = ["", "l", "n", "r", "s", "t", "rk", "nd"];
        let syllable = |random: &mut Random| {
            let parts = [&STARTS[..], &MIDDLES, &ENDS].map(|parts| random.one_of(parts).copied());
            parts.into_iter().flatten().collect::<String>()
        };
        let word = |random: &mut Random| {
            let syllables = 1 + random.below(3);
            (0..syllables).map(|_| syllable(random)).collect::<String>()
        };
        let mut words: Vec<String> = (0..6_000).map(|_| word(random)).collect();
        for (at, known) in [(40, "market"), (150, "basket"), (300, "weather")] {
            words.insert(at, known.to_owned());
        }
        let hosts = (0..400).map(|at| {
            let www = if at % 3 == 0 { "www." } else { "" };
            format!("{www}{}{}.example", word(random), at % 7)
        });
        Self {
            hosts: hosts.collect(),
            words,
        }
    }

    /// Some words, the frequent ones more often.
    fn words(&self, random: &mut Random, count: u64, between: &str) -> String {
        let places = (0..count).map(|_| random.ranked(self.words.len() as u64, 4) as usize);
        let words = places.filter_map(|place| self.words.get(place).map(String::as_str));
        words.collect::<Vec<&str>>().join(between)
    }

    /// The page at a place of the ranking of all pages.
    fn url(&self, page: u64) -> String {
        let mut random = Random::new(page ^ 0x5eed);
        let host = random.ranked(self.hosts.len() as u64, 3) as usize;
        let host = self.hosts.get(host).map_or("", String::as_str);
        let folders = 1 + random.below(3);
        let path = self.words(&mut random, folders, "/");
        let length = 2 + random.below(6);
        let name = self.words(&mut random, length, "-");
        let id = random.below(1_000_000);
        match random.below(3) {
            0 => format!("https://{host}/{path}/{name}-{id}.html"),
            1 => format!("https://{host}/{path}?q={name}&page={}&id={id}", id % 50),
            _ => format!("http://{host}/{path}/{name}/{id}/"),
        }
    }

    fn title(&self, page: u64) -> String {
        let mut random = Random::new(page ^ 0x717e);
        let (length, own) = (4 + random.below(8), random.below(50));
        format!("{} | {own}", self.words(&mut random, length, " "))
    }
}

/// Views of one visitor follow each other now and then.
#[derive(Default)]
struct Session {
    left: u64,
    number: i64,
    visitor: u64,
    site: i32,
    system: usize,
}

/// Columns of text.
#[derive(Default)]
struct TextColumns {
    country: Vec<&'static str>,
    browser: Vec<&'static str>,
    system: Vec<&'static str>,
    url: Vec<String>,
    referrer: Vec<String>,
    title: Vec<String>,
    phrase: Vec<String>,
}

fn columns_of(
    random: &mut Random,
    texts: &Texts,
    session: &mut Session,
    range: Range<usize>,
    rows: usize,
) -> Vec<(&'static str, ArrayRef)> {
    const COUNTRIES: [&str; 12] = [
        "DE", "US", "FR", "GB", "IN", "BR", "PL", "JP", "ES", "IT", "NL", "TR",
    ];
    const BROWSERS: [&str; 6] = [
        "Chrome",
        "Safari",
        "Firefox",
        "Edge",
        "Opera",
        "Samsung Internet",
    ];
    const SYSTEMS: [&str; 5] = ["Windows", "Android", "iOS", "macOS", "Linux"];
    const WIDTHS: [i16; 8] = [360, 390, 412, 1280, 1366, 1536, 1920, 2560];
    let mut text = TextColumns::default();
    let mut long: [Vec<i64>; 5] = Default::default();
    let mut int: [Vec<i32>; 6] = Default::default();
    let mut short: [Vec<i16>; 3] = Default::default();
    let pages = rows as u64 / 4 + 1;
    for row in range.clone() {
        if session.left == 0 {
            *session = Session {
                left: 1 + random.ranked(20, 2),
                number: session.number + 1 + random.below(1_000) as i64,
                visitor: random.ranked(rows as u64 / 5 + 10, 2),
                site: random.ranked(2_000, 3) as i32,
                system: random.ranked(SYSTEMS.len() as u64, 1) as usize,
            };
        }
        session.left -= 1;
        let seconds = DAYS * DAY_S as u64 * row as u64 / rows as u64;
        let at = FIRST_S + (seconds + random.below(600)) as i64;
        let mut of_visitor = Random::new(session.visitor);
        let width = WIDTHS[of_visitor.below(8) as usize];
        let page = random.ranked(pages, 3);
        let stay = random.ranked(1_800, 3) as i32;
        let numbers = [
            row as i64 * 3 + 1,
            at * 1_000_000,
            session.visitor as i64,
            session.number,
            random.ranked(2_000_000, 3) as i64,
        ];
        long.iter_mut()
            .zip(numbers)
            .for_each(|(column, value)| column.push(value));
        let numbers = [
            (at / DAY_S) as i32,
            session.site,
            of_visitor.bits() as i32,
            of_visitor.ranked(5_000, 3) as i32,
            20 + random.ranked(9_000, 3) as i32,
            stay,
        ];
        int.iter_mut()
            .zip(numbers)
            .for_each(|(column, value)| column.push(value));
        let is_mobile = i16::from(width < 1_000);
        let numbers = [is_mobile, width, width / 16 * 9];
        short
            .iter_mut()
            .zip(numbers)
            .for_each(|(column, value)| column.push(value));
        text.country
            .push(COUNTRIES[of_visitor.ranked(12, 2) as usize]);
        text.browser
            .push(BROWSERS[of_visitor.ranked(6, 2) as usize]);
        text.system.push(SYSTEMS[session.system]);
        text.url.push(texts.url(page));
        text.title.push(texts.title(page));
        let referrer = match random.below(5) {
            0 | 1 => String::new(),
            2 => format!("https://www.search.example/?q={}", random.below(100_000)),
            _ => texts.url(random.ranked(pages, 3)),
        };
        text.referrer.push(referrer);
        let searched = random.below(8) == 0;
        let phrase = random.ranked(rows as u64 / 10 + 1, 2);
        let mut of_phrase = Random::new(phrase ^ 0xfeed);
        let words = if searched { 1 + of_phrase.below(5) } else { 0 };
        text.phrase.push(texts.words(&mut of_phrase, words, " "));
    }
    let [view_id, viewed_at, visitor, number, bytes] = long;
    let [viewed_on, site, address, region, load_ms, stay_s] = int;
    let [is_mobile, width, height] = short;
    let integers = |values: Vec<i32>| -> ArrayRef { Arc::new(Int32Array::from(values)) };
    let longs = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
    let shorts = |values: Vec<i16>| -> ArrayRef { Arc::new(Int16Array::from(values)) };
    let words = |values: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let strings = |values: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let mut columns: Vec<(&'static str, ArrayRef)> = vec![
        ("view_id", longs(view_id)),
        (
            "viewed_at",
            Arc::new(TimestampMicrosecondArray::from(viewed_at)),
        ),
        ("viewed_on", Arc::new(Date32Array::from(viewed_on))),
        ("site", integers(site)),
        ("visitor", longs(visitor)),
        ("session", longs(number)),
        ("address", integers(address)),
        ("region", integers(region)),
        ("country", words(text.country)),
        ("browser", words(text.browser)),
        ("system", words(text.system)),
        ("is_mobile", shorts(is_mobile)),
        ("width", shorts(width)),
        ("height", shorts(height)),
        ("url", strings(text.url)),
        ("referrer", strings(text.referrer)),
        ("title", strings(text.title)),
        ("phrase", strings(text.phrase)),
        ("load_ms", integers(load_ms)),
        ("stay_s", integers(stay_s)),
        ("bytes", longs(bytes)),
    ];
    for (at, name) in (1_u64..).zip(MEASURES) {
        let values = range.clone().map(|_| random.ranked(at * at * 20, 4) as i16);
        columns.push((name, shorts(values.collect())));
    }
    columns
}
