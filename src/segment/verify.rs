//! Reads a whole segment again and lists what is damaged, with the rows that each damage touches.
//!
//! First the file is read from the disk, not from the mapping, so that a failing disk is an entry of the list and not the
//! end of the process, and every block, the table of checksums, its padding and the footer are compared. Then each row
//! whose blocks are good is looked at: ends, UTF-8, LSN, and whether the index finds it. That second part notices what a
//! defect of the program that wrote the file may have done; no fault of a disk gets past the first.

use super::damage::{Damage, Findings};
use super::index;
use super::layout::{BLOCK_BYTES, FOOTER_BYTES, Footer, WORD};
use super::output::PIECE_BYTES;
use super::reader::{Segment, check_table};
use crate::control::Control;
use crate::error::Result;
use std::ops::Range;

/// More contradictions than this help nobody; what follows is one last entry for all rows that are left.
const CONTRADICTIONS_MAX: usize = 1_024;

/// Rows between two looks at whether the call is still wanted.
const ROWS_BETWEEN_CHECKS: u32 = 4_096;

impl Segment {
    /// Reads and checks everything. The list is empty when all is well; an error is only what kept it from looking.
    pub fn verify(&self, control: &Control) -> Result<Vec<Damage>> {
        let mut found = Findings::default();
        self.verify_length(&mut found);
        self.verify_blocks(&mut found, control)?;
        self.verify_frame(&mut found);
        self.verify_rows(&mut found, control)?;
        self.verify_index(&mut found, control)?;
        for damage in found.damages.iter_mut().filter(|damage| damage.what.is_empty()) {
            let sections = self.layout().sections(damage.offset, damage.length);
            damage.what = format!("{sections}: the bytes differ from their checksums");
        }
        found.damages.sort_by_key(|damage| damage.offset);
        Ok(found.damages)
    }

    fn verify_length(&self, found: &mut Findings) {
        let due = self.length();
        match self.file.length() {
            Ok(length) if length == due => {}
            Ok(length) => {
                let what = format!("expected {due} bytes, found {length}");
                found.push(length.min(due), length.abs_diff(due), what, Vec::new());
            }
            Err(error) => found.push(0, due, error.message, Vec::new()),
        }
    }

    fn verify_blocks(&self, found: &mut Findings, control: &Control) -> Result<()> {
        let mut piece = vec![0; PIECE_BYTES];
        let blocks_each = PIECE_BYTES as u64 / BLOCK_BYTES;
        let mut first = 0;
        while first < self.checks.blocks() {
            control.check()?;
            let end = (first + blocks_each).min(self.checks.blocks());
            let (start, last) = (self.checks.place(first).0, self.checks.place(end - 1));
            let bytes = piece.get_mut(..(last.0 + last.1 - start) as usize).unwrap_or_default();
            let whole = self.file.read_at(bytes, start);
            for (number, block) in (first..end).zip(bytes.chunks_mut(BLOCK_BYTES as usize)) {
                // Where the piece cannot be read, its blocks are tried one by one.
                let read = if whole.is_ok() { Ok(()) } else { self.file.read_at(block, self.checks.place(number).0) };
                let why = match read {
                    Ok(()) if self.checks.agrees(number, block) => continue,
                    Ok(()) => String::new(),
                    Err(error) => error.message,
                };
                self.checks.forget(number);
                found.bad_block(number, self.checks.place(number), why);
            }
            first = end;
        }
        Ok(())
    }

    /// The table of checksums, what pads it, and the footer.
    fn verify_frame(&self, found: &mut Findings) {
        let layout = self.layout();
        let mut read = |offset: u64, end: u64, check: &dyn Fn(&[u8]) -> Result<()>| {
            let mut bytes = vec![0; (end - offset) as usize];
            let checked = self.file.read_at(&mut bytes, offset).and_then(|()| check(&bytes));
            if let Err(error) = checked {
                found.push(offset, end - offset, error.message, Vec::new());
            }
        };
        read(layout.checksums, layout.footer, &|bytes| check_table(bytes, &self.footer));
        read(layout.footer, layout.footer + FOOTER_BYTES, &|bytes| {
            Footer::decode(bytes, self.length(), self.expected.checksum).map(|_| ())
        });
    }

    fn verify_rows(&self, found: &mut Findings, control: &Control) -> Result<()> {
        let (rows, layout) = (self.rows(), self.layout());
        let mut lsns: Option<(u64, u64)> = None;
        for row in 0..rows {
            if row.is_multiple_of(ROWS_BETWEEN_CHECKS) {
                control.check()?;
            }
            if found.contradictions >= CONTRADICTIONS_MAX {
                let what =
                    format!("more than {CONTRADICTIONS_MAX} contradictions; the rows from {row} on were not looked at");
                found.push(0, layout.length, what, std::iter::once(row..rows).collect());
                return Ok(());
            }
            found.touches(&self.vector_range(row..row + 1), row);
            if let Some(lsn) = self.verify_lsn(found, row)? {
                lsns = Some(lsns.map_or((lsn, lsn), |(low, high)| (low.min(lsn), high.max(lsn))));
            }
            self.verify_metadata(found, row)?;
            self.verify_id(found, row)?;
        }
        if found.damages.is_empty()
            && let Err(error) = self.verify_totals(found, lsns)
        {
            found.contradiction(error, 0..0)?;
        }
        Ok(())
    }

    /// What the footer says of all rows together; asked when nothing is damaged.
    fn verify_totals(&self, found: &mut Findings, lsns: Option<(u64, u64)>) -> Result<()> {
        let (layout, due) = (self.layout(), self.lsns());
        let Some(last) = self.rows().checked_sub(1) else { return Ok(()) };
        let ends = (self.id_range(last)?.end - layout.ids, self.metadata_range(last)?.end - layout.metadata);
        if ends != (layout.ids_bytes, layout.metadata_bytes) {
            let (ids, metadata) = (layout.ids_bytes, layout.metadata_bytes);
            let what = format!("the footer says {ids} bytes of ids and {metadata} of metadata, the rows have others");
            found.push(layout.footer, FOOTER_BYTES, what, Vec::new());
        }
        if lsns != Some(due) {
            let what = format!("the footer says LSNs {} to {}, the rows have others", due.0, due.1);
            found.push(layout.footer, FOOTER_BYTES, what, Vec::new());
        }
        for gap in layout.gaps() {
            let (offset, length) = (gap.start, gap.end - gap.start);
            if self.bytes(gap)?.iter().any(|byte| *byte != 0) {
                found.push(offset, length, "bytes between two sections are not zero".into(), Vec::new());
            }
        }
        Ok(())
    }

    fn verify_lsn(&self, found: &mut Findings, row: u32) -> Result<Option<u64>> {
        let at = self.layout().lsns + u64::from(row) * WORD;
        if found.touches(&(at..at + WORD), row) {
            return Ok(None);
        }
        let (first, last) = self.lsns();
        let lsn = self.lsn(row);
        match lsn {
            Ok(lsn) if (first..=last).contains(&lsn) => Ok(Some(lsn)),
            Ok(lsn) => {
                let what = format!("the LSN {lsn} of row {row} is not between {first} and {last}");
                found.contradicts(at, WORD, what, row..row + 1);
                Ok(None)
            }
            Err(error) => found.contradiction(error, row..row + 1).map(|()| None),
        }
    }

    /// The two ends that say where a text of the row is.
    fn ends_of(ends: u64, row: u32) -> Range<u64> {
        let at = ends + u64::from(row) * WORD;
        if row == 0 { at..at + WORD } else { at - WORD..at + WORD }
    }

    fn verify_metadata(&self, found: &mut Findings, row: u32) -> Result<()> {
        if found.touches(&Self::ends_of(self.layout().metadata_ends, row), row) {
            return Ok(());
        }
        match self.metadata_range(row) {
            Ok(range) if range.is_empty() => Ok(()),
            Ok(range) => self.verify_text(found, range, "metadata", row).map(|_| ()),
            Err(error) => found.contradiction(error, row..row + 1),
        }
    }

    fn verify_id(&self, found: &mut Findings, row: u32) -> Result<()> {
        if found.touches(&Self::ends_of(self.layout().id_ends, row), row) {
            return Ok(());
        }
        match self.id_range(row) {
            Ok(range) => match self.verify_text(found, range, "id", row)? {
                Some(id) => self.verify_way(found, id, row),
                None => Ok(()),
            },
            Err(error) => found.contradiction(error, row..row + 1),
        }
    }

    fn verify_text(&self, found: &mut Findings, range: Range<u64>, what: &str, row: u32) -> Result<Option<&str>> {
        if found.touches(&range, row) {
            return Ok(None);
        }
        match self.bytes(range.clone()).map(std::str::from_utf8) {
            Ok(Ok(text)) => Ok(Some(text)),
            Ok(Err(_)) => {
                let what = format!("the {what} of row {row} is not UTF-8");
                found.contradicts(range.start, range.end - range.start, what, row..row + 1);
                Ok(None)
            }
            Err(error) => found.contradiction(error, row..row + 1).map(|()| None),
        }
    }

    /// The way from the id to its row through the index.
    fn verify_way(&self, found: &mut Findings, id: &str, row: u32) -> Result<()> {
        let layout = self.layout();
        let hash = index::hash(id.as_bytes());
        for slot_number in index::probe(hash, layout.slots) {
            let at = layout.index + slot_number * WORD;
            if found.touches(&(at..at + WORD), row) {
                return Ok(());
            }
            let slot = match self.word(at) {
                Ok(slot) => slot,
                Err(error) => return found.contradiction(error, row..row + 1),
            };
            let names = if index::may_be(slot, hash) { index::row_of(slot, self.rows()) } else { None };
            match names {
                Some(names) if names == row => return Ok(()),
                // Another row of the same hash is passed; another row of the same id hides this one.
                Some(names) if self.same_id(names, id) => break,
                _ if slot == 0 => break,
                _ => {}
            }
        }
        found.contradicts(
            layout.index,
            layout.slots * WORD,
            format!("the id index does not find row {row}"),
            row..row + 1,
        );
        Ok(())
    }

    fn same_id(&self, row: u32, id: &str) -> bool {
        let range = self.id_range(row).and_then(|range| self.bytes(range));
        range.is_ok_and(|bytes| bytes == id.as_bytes())
    }

    /// Taken slots must be as many as rows: each row was found, so that one more is one too many.
    fn verify_index(&self, found: &mut Findings, control: &Control) -> Result<()> {
        if !found.damages.is_empty() {
            return Ok(());
        }
        let layout = self.layout();
        let mut taken = 0;
        for slot in 0..layout.slots {
            if slot.is_multiple_of(u64::from(ROWS_BETWEEN_CHECKS)) {
                control.check()?;
            }
            match self.word(layout.index + slot * WORD) {
                Ok(word) => taken += u64::from(word != 0),
                Err(error) => return found.contradiction(error, 0..0),
            }
        }
        if taken != u64::from(layout.rows) {
            let what = format!("the id index has {taken} taken slots for {} rows", layout.rows);
            found.push(layout.index, layout.slots * WORD, what, Vec::new());
        }
        Ok(())
    }
}
