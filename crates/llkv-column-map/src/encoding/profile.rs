//! What choosing an encoding needs to know of a column's values.

use super::Lifetime;
use super::decimal::Scaled;
use super::delta::delta_bytes;
use super::dictionary::Dictionary;
use super::fsst::Trained;
use super::input::{Input, InputValues, Ints, Strings};
use super::numbered::Numbered;
use super::packed::packed_bytes;
use hashbrown::HashSet;

/// Values looked at before a dictionary is tried: of 16,000 equally frequent ones, seven in eight of so many differ.
const SAMPLE_ROWS: usize = 4_096;
/// Bits of the sketch that counts distinct integers: one byte for each row of a full row group.
const SKETCH_BITS: usize = 1 << 17;

/// Facts about a column's values.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    /// All values are equal.
    pub(crate) constant: bool,
    /// The step between neighbours, where it is always the same.
    pub(crate) step: Option<i128>,
    /// Runs of equal values.
    pub(crate) runs: usize,
    /// Bytes when packed in blocks.
    pub(crate) packed_bytes: usize,
    /// Bytes when neighbours' distances are packed; `None` where values are short anyway.
    pub(crate) delta_bytes: Option<usize>,
    /// The dictionary, where one seemed worth the work.
    pub(crate) dictionary: Option<Dictionary>,
    /// Doubles as integers divided by a power of ten.
    pub(crate) scaled: Option<Scaled>,
    /// Texts as numbers behind a prefix.
    pub(crate) numbered: Option<Numbered>,
    /// A symbol table for strings that repeat in pieces.
    pub(crate) trained: Option<Trained>,
    /// Roughly how many distinct values there are.
    pub(crate) distinct: usize,
}

impl Profile {
    /// Looks at a column.
    pub(crate) fn new(input: &Input, lifetime: Lifetime) -> Self {
        match &input.values {
            InputValues::Ints(ints) => Self::of_ints(input, ints, lifetime),
            InputValues::Bytes(strings) => Self::of_strings(input, strings, lifetime),
            InputValues::Bits(_) => Self {
                distinct: 2,
                ..Self::default()
            },
            InputValues::Fixed(_) => Self {
                distinct: input.rows,
                ..Self::default()
            },
        }
    }

    fn of_ints(input: &Input, ints: &Ints, lifetime: Lifetime) -> Self {
        if ints.span == 0 {
            return Self {
                constant: true,
                runs: 1,
                distinct: 1,
                ..Self::default()
            };
        }
        let neighbours = ints.offsets.iter().zip(ints.offsets.iter().skip(1));
        let runs = 1 + neighbours.filter(|(a, b)| a != b).count();
        let packed_bytes = packed_bytes(&ints.offsets);
        let distinct = count_distinct(&ints.offsets, ints.span);
        let width = super::bit_packed::value_bytes(input.kind);
        // Worth it when codes take half of what packing takes, or of what floats take plain.
        let without = match input.kind {
            crate::kind::Kind::Float(_) => input.rows * width,
            _ => packed_bytes,
        };
        let bits = super::packed::bit_width(distinct as u64);
        let with = distinct * width + input.rows * bits / 8;
        let lasts = lifetime == Lifetime::Lasting;
        let worth = lasts && distinct * 4 <= input.rows && with * 2 <= without;
        Self {
            constant: false,
            step: step(&ints.offsets),
            runs,
            packed_bytes,
            // Values of two bytes and less are better unpacked fast.
            delta_bytes: (lasts && packed_bytes > 2 * input.rows)
                .then(|| delta_bytes(&ints.offsets)),
            dictionary: match worth {
                true => Dictionary::of_ints(&ints.offsets),
                false => None,
            },
            scaled: match lasts {
                true => Scaled::new(input, ints),
                false => None,
            },
            numbered: None,
            trained: None,
            distinct,
        }
    }

    fn of_strings(input: &Input, strings: &Strings, lifetime: Lifetime) -> Self {
        let lasts = lifetime == Lifetime::Lasting;
        let sampled = SAMPLE_ROWS.min(input.rows);
        let soon = (!lasts).then(|| sample_distinct(input, strings));
        // Numbers are found faster than the places of texts in a dictionary, and tell whether those are worth a look.
        let numbered = match soon {
            Some((seen, _)) if seen * 4 <= sampled => None,
            _ => Numbered::new(input, strings),
        };
        let numbers = numbered.as_ref().map(Numbered::distinct);
        let may_repeat = numbers.is_none_or(|distinct| distinct <= Dictionary::limit(input.rows));
        let (seen, places) = match soon {
            Some(sample) => sample,
            None if may_repeat => sample_distinct(input, strings),
            None => (sampled, sampled),
        };
        let seems_worth = match lasts {
            true => seen * 8 <= sampled * 7 || input.rows <= SAMPLE_ROWS,
            false => seen * 4 <= sampled,
        };
        let dictionary = match seems_worth && may_repeat {
            true => Dictionary::of_strings(input, strings, places <= 2 * seen),
            false => None,
        };
        let distinct = match (&dictionary, numbers) {
            (Some(dictionary), _) => dictionary.len(),
            (None, Some(distinct)) => distinct,
            // Most of the sample differs, so most of the rows do.
            (None, None) => input.rows * seen / sampled.max(1),
        };
        Self {
            trained: match (&dictionary, &numbered) {
                (None, None) if lasts => Trained::new(input, strings),
                _ => None,
            },
            constant: dictionary.as_ref().is_some_and(|d| d.len() == 1),
            dictionary,
            numbered,
            distinct,
            ..Self::default()
        }
    }
}

/// The common difference of neighbours.
fn step(offsets: &[u64]) -> Option<i128> {
    let (first, second) = (*offsets.first()?, *offsets.get(1)?);
    let step = i128::from(second) - i128::from(first);
    let wrapped = second.wrapping_sub(first);
    offsets
        .windows(2)
        .all(|pair| matches!(pair, [a, b] if b.wrapping_sub(*a) == wrapped))
        .then_some(step)
        // Wrapping differences are equal also where true ones are not; the ends tell.
        .filter(|step| {
            let way = step.checked_mul(offsets.len() as i128 - 1);
            let last = offsets.last().copied().unwrap_or(0);
            way.is_some_and(|way| i128::from(first) + way == i128::from(last))
        })
}

/// Distinct integers: counted exactly in a bitmap when their range is small, else estimated by linear
/// counting (Whang, Vander-Zanden and Taylor, 1990).
pub(super) fn count_distinct(offsets: &[u64], span: u64) -> usize {
    let exact = span < SKETCH_BITS as u64;
    let mut bits = vec![0u64; SKETCH_BITS / 64];
    for offset in offsets {
        let slot = match exact {
            true => *offset as usize,
            false => (offset.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 47) as usize,
        };
        if let Some(word) = bits.get_mut(slot / 64) {
            *word |= 1 << (slot % 64);
        }
    }
    let set: usize = bits.iter().map(|word| word.count_ones() as usize).sum();
    if exact || set == SKETCH_BITS {
        return set;
    }
    let zeroes = (SKETCH_BITS - set) as f64 / SKETCH_BITS as f64;
    let estimate = -(SKETCH_BITS as f64) * zeroes.ln();
    (estimate as usize).clamp(1, offsets.len())
}

/// Distinct strings of a sample, and distinct places of them.
fn sample_distinct(input: &Input, strings: &Strings) -> (usize, usize) {
    let sample = input.sample(SAMPLE_ROWS);
    let same = strings.same_buffers();
    let places = sample.clone().map(|row| strings.place(row, &same));
    let places: HashSet<u128, foldhash::fast::FixedState> = places.collect();
    let distinct: HashSet<&[u8], foldhash::fast::FixedState> =
        sample.map(|row| strings.get(row)).collect();
    (distinct.len(), places.len())
}
