//! A byte array in pages that copies share: taking a copy of a disk costs a count per page.

use std::sync::Arc;

const PAGE: u64 = 4096;

/// Bytes, copy-on-write by page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages {
    /// `None`: zeros.
    pages: Vec<Option<Arc<[u8; PAGE as usize]>>>,
    len: u64,
}

impl Pages {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn resize(&mut self, len: u64) {
        if len < self.len {
            // What is cut off reads as zeros when the file grows again.
            let tail = (len.next_multiple_of(PAGE).min(self.len) - len) as usize;
            self.overwrite(&vec![0; tail], len);
        }
        self.pages.resize(len.div_ceil(PAGE) as usize, None);
        self.len = len;
    }

    /// Reads what there is from `offset`; tells how much.
    pub(crate) fn read(&self, bytes: &mut [u8], offset: u64) -> usize {
        let len = (bytes.len() as u64).min(self.len.saturating_sub(offset)) as usize;
        let mut at = offset;
        let mut rest = bytes.get_mut(..len).unwrap_or_default();
        while !rest.is_empty() {
            let within = (at % PAGE) as usize;
            let part = rest.len().min(PAGE as usize - within);
            let (head, tail) = rest.split_at_mut(part);
            match self.pages.get((at / PAGE) as usize) {
                Some(Some(page)) => {
                    head.copy_from_slice(page.get(within..within + part).unwrap_or_default());
                }
                _ => head.fill(0),
            }
            at += part as u64;
            rest = tail;
        }
        len
    }

    /// Writes, growing as needed.
    pub(crate) fn write(&mut self, bytes: &[u8], offset: u64) {
        let end = offset + bytes.len() as u64;
        if end > self.len {
            self.resize(end);
        }
        self.overwrite(bytes, offset);
    }

    fn overwrite(&mut self, bytes: &[u8], offset: u64) {
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let within = (at % PAGE) as usize;
            let (head, tail) = rest.split_at(rest.len().min(PAGE as usize - within));
            if let Some(page) = self.pages.get_mut((at / PAGE) as usize) {
                let page = page.get_or_insert_with(|| Arc::new([0; PAGE as usize]));
                if let Some(part) = Arc::make_mut(page).get_mut(within..within + head.len()) {
                    part.copy_from_slice(head);
                }
            }
            at += head.len() as u64;
            rest = tail;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pages_behave_like_a_vector(
            steps in prop::collection::vec((0..20_000_u64, 0..9000_usize, any::<bool>()), 1..20),
        ) {
            let (mut pages, mut model) = (Pages::default(), Vec::<u8>::new());
            for (tag, (offset, len, write)) in steps.into_iter().enumerate() {
                let before = pages.clone();
                let model_before = model.clone();
                if write {
                    pages.write(&vec![tag as u8 + 1; len], offset);
                    let end = offset as usize + len;
                    model.resize(model.len().max(end), 0);
                    model[offset as usize..end].fill(tag as u8 + 1);
                } else {
                    pages.resize(offset);
                    model.resize(offset as usize, 0);
                }
                for (pages, model) in [(&pages, &model), (&before, &model_before)] {
                    let mut all = vec![9; model.len() + 10];
                    prop_assert_eq!(pages.read(&mut all, 0), model.len());
                    prop_assert_eq!(&all[..model.len()], model.as_slice());
                }
            }
        }
    }
}
