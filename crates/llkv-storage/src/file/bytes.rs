//! Little-endian fields in byte slices: total, so that any stored bytes give a value or `None`.

/// Takes fields off the front of a slice.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `len` bytes.
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// An unsigned integer of 48 bits.
    pub(crate) fn u48(&mut self) -> Option<u64> {
        let low = u64::from(self.u32()?);
        let high = u64::from(self.array().map(u16::from_le_bytes)?);
        Some(low | (high << 32))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }
}

/// Appends the low 48 bits of `value`.
pub(crate) fn put_u48(out: &mut Vec<u8>, value: u64) {
    let [a, b, c, d, e, f, _, _] = value.to_le_bytes();
    out.extend_from_slice(&[a, b, c, d, e, f]);
}
