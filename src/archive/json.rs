//! Reading a JSON archive: one pass finds where each value ends, drops the white space between tokens, and feeds the
//! checksum; entries are then decoded on every core.
//!
//! What is found here is only the outline. That each value is well-formed JSON is for its decoder to say, with one
//! exception that only the outline can see: two tokens that only white space keeps apart.

use super::read::{Delivery, check_members};
use super::stream::Stream;
use crate::codec::{Digest, Piece};
use crate::error::{Error, Kind, Result};
use crate::format::Entry;
use crate::format::entry::shown;
use crate::format::state_json::{Head, decode_entry, decode_id};
use crate::limits::{DEPTH_MAX, ENTRY_TEXT_BYTES_MAX, MEMBER_BYTES_MAX, MEMBERS_MAX, WHITE_SPACE_RUN_MAX, WORK_BYTES};
use crate::workers::InOrder;
use std::sync::Arc;

/// A place in the text, for errors.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    line: u64,
    column: u64,
}

impl Place {
    fn locate(self, mut error: Error) -> Error {
        error.message = format!("line {}, column {}: {}", self.line, self.column, error.message);
        error.at(self.offset)
    }

    fn malformed(self, what: &str) -> Error {
        self.locate(Error::new(Kind::Format, what))
    }
}

/// The state of one value's outline.
#[derive(Default)]
struct Outline {
    /// For each open bracket, the deepest last: whether it is an object's.
    open: Vec<bool>,
    quoted: bool,
    escaped: bool,
    /// The last byte kept was part of a number or a word.
    word: bool,
    /// White space came after that byte.
    apart: bool,
}

const TOO_DEEP: &str = "nested deeper than metadata may be";

enum Step {
    Keep,
    KeepAndEnd,
    Drop,
    End,
}

/// How many bytes `bytes` begins with that are neither white space, quote nor bracket. Written so that the compiler
/// looks at many bytes at once.
fn plain(bytes: &[u8]) -> usize {
    const AT_ONCE: usize = 32;
    // The case bit is all that tells `[` from `{` and `]` from `}`; `"` comes after white space and control characters.
    let special = |byte: u8| byte <= b'"' || matches!(byte & !0x20, b'[' | b']');
    if bytes.first().is_none_or(|byte| special(*byte)) {
        return 0;
    }
    let (blocks, _) = bytes.as_chunks::<AT_ONCE>();
    let clear = |block: &&[u8; AT_ONCE]| !block.iter().fold(false, |any, byte| any | special(*byte));
    let count = blocks.iter().take_while(clear).count() * AT_ONCE;
    count + bytes.iter().skip(count).take_while(|byte| !special(**byte)).count()
}

impl Outline {
    /// Passes over the bytes that `ahead` begins with and that `step` would only keep, the fast way; tells how many.
    fn pass(&mut self, ahead: &[u8]) -> usize {
        if self.quoted {
            let text = |byte: &&u8| !matches!(byte, b'"' | b'\\');
            return if self.escaped { 0 } else { ahead.iter().take_while(text).count() };
        }
        if self.open.is_empty() || self.apart {
            return 0;
        }
        let count = plain(ahead);
        if let Some(last) = ahead.get(..count).and_then(<[u8]>::last) {
            self.word = !matches!(last, b',' | b':');
        }
        count
    }

    fn step(&mut self, byte: u8) -> std::result::Result<Step, &'static str> {
        if self.quoted {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.quoted = false;
                    return Ok(if self.open.is_empty() { Step::KeepAndEnd } else { Step::Keep });
                }
                _ => {}
            }
            return Ok(Step::Keep);
        }
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {
                if self.word && self.open.is_empty() {
                    return Ok(Step::End);
                }
                self.apart = self.word;
                return Ok(Step::Drop);
            }
            b',' | b']' | b'}' if self.open.is_empty() => return Ok(Step::End),
            b'[' | b'{' => {
                // The entry around the metadata is one level of its own.
                if self.open.len() > DEPTH_MAX {
                    return Err(TOO_DEEP);
                }
                self.open.push(byte == b'{');
            }
            b']' | b'}' => {
                if self.open.pop() != Some(byte == b'}') {
                    return Err("a bracket closes what it did not open");
                }
                if self.open.is_empty() {
                    return Ok(Step::KeepAndEnd);
                }
            }
            b'"' => self.quoted = true,
            b',' | b':' => {}
            _ if self.apart => return Err("white space inside a value"),
            _ => {
                self.word = true;
                return Ok(Step::Keep);
            }
        }
        (self.word, self.apart) = (false, false);
        Ok(Step::Keep)
    }
}

struct Reader {
    stream: Stream,
    line: u64,
    line_start: u64,
    digest: Digest,
    first: bool,
}

impl Reader {
    fn place(&self) -> Place {
        let offset = self.stream.offset();
        Place { offset, line: self.line, column: offset - self.line_start + 1 }
    }

    fn cut(&self) -> Error {
        self.place().locate(self.stream.cut())
    }

    fn too_white(&self) -> Error {
        let message = format!("more than {WHITE_SPACE_RUN_MAX} bytes of white space in one run");
        self.place().locate(Error::new(Kind::Limit, message))
    }

    /// The next byte that is not white space; `None` at the end.
    fn peek(&mut self) -> Result<Option<u8>> {
        let mut run = 0;
        loop {
            let base = self.stream.offset();
            let bytes = self.stream.available()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let mut used = 0;
            let mut found = None;
            for byte in bytes {
                match byte {
                    b'\n' => {
                        self.line += 1;
                        self.line_start = base + used as u64 + 1;
                    }
                    b' ' | b'\t' | b'\r' => {}
                    other => {
                        found = Some(*other);
                        break;
                    }
                }
                used += 1;
            }
            run += used;
            self.stream.advance(used);
            if run > WHITE_SPACE_RUN_MAX {
                return Err(self.too_white());
            }
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Passes over `byte`, or refuses what is there instead.
    fn expect(&mut self, byte: u8, what: &str) -> Result<()> {
        match self.peek()? {
            Some(found) if found == byte => {
                self.stream.advance(1);
                Ok(())
            }
            Some(_) => Err(self.place().malformed(&format!("expected {what}"))),
            None => Err(self.cut()),
        }
    }

    /// Appends the next value without white space between its tokens; at most `bytes_max`.
    fn value(&mut self, out: &mut Vec<u8>, bytes_max: usize) -> Result<()> {
        self.peek()?;
        let (start, place) = (out.len(), self.place());
        let mut outline = Outline::default();
        // White space since the last byte that was kept.
        let mut white = 0;
        loop {
            let base = self.stream.offset();
            let bytes = self.stream.available()?;
            if bytes.is_empty() {
                return Err(self.cut());
            }
            let (mut run, mut used, mut ended) = (0, 0, false);
            while let Some(ahead) = bytes.get(used..)
                && let Some(byte) = ahead.first()
            {
                let passed = outline.pass(ahead);
                if passed > 0 {
                    used += passed;
                    continue;
                }
                let step = match outline.step(*byte) {
                    Ok(step) => step,
                    Err(what) => {
                        self.stream.advance(used);
                        let kind = if what == TOO_DEEP { Kind::Limit } else { Kind::Format };
                        return Err(self.place().locate(Error::new(kind, what)));
                    }
                };
                match step {
                    Step::Keep => {}
                    Step::Drop => {
                        out.extend_from_slice(bytes.get(run..used).unwrap_or_default());
                        white = if run == used { white + 1 } else { 1 };
                        run = used + 1;
                        if *byte == b'\n' {
                            self.line += 1;
                            self.line_start = base + run as u64;
                        }
                    }
                    Step::KeepAndEnd => {
                        used += 1;
                        ended = true;
                        break;
                    }
                    Step::End => {
                        ended = true;
                        break;
                    }
                }
                used += 1;
            }
            out.extend_from_slice(bytes.get(run..used).unwrap_or_default());
            white = if run == used { white } else { 0 };
            self.stream.advance(used);
            if white > WHITE_SPACE_RUN_MAX {
                return Err(self.too_white());
            }
            if out.len() - start > bytes_max {
                let message = format!("a value has more than {bytes_max} bytes");
                return Err(place.locate(Error::new(Kind::Limit, message)));
            }
            if ended && out.len() == start {
                return Err(place.malformed("expected a value"));
            }
            if ended {
                return Ok(());
            }
        }
    }

    /// Adds a member's text to the checksum, with the comma before it.
    fn hash_member(&mut self, text: &str) -> Result<()> {
        let comma = if std::mem::take(&mut self.first) { "" } else { "," };
        self.digest.update_bytes(format!("{comma}{text}").as_bytes())
    }

    fn key(&mut self) -> Result<(String, String)> {
        let place = self.place();
        let mut text = Vec::new();
        self.value(&mut text, MEMBER_BYTES_MAX)?;
        let key = serde_json::from_slice::<String>(&text).map_err(|_| place.malformed("expected a member's name"))?;
        let text = String::from_utf8(text).map_err(|_| place.malformed("a member's name is not UTF-8"))?;
        self.expect(b':', &format!("a colon after '{}'", shown(&key)))?;
        Ok((key, text))
    }

    fn member(&mut self, head: &mut Head, key: &str, key_text: &str) -> Result<()> {
        self.peek()?;
        let place = self.place();
        let mut text = Vec::new();
        self.value(&mut text, MEMBER_BYTES_MAX)?;
        head.take_member(key, &text).map_err(|error| place.locate(error))?;
        if key != "checksum" {
            let text = String::from_utf8(text).map_err(|_| place.malformed("a member is not UTF-8"))?;
            self.hash_member(&format!("{key_text}:{text}"))?;
        }
        Ok(())
    }

    fn vectors(&mut self, key_text: &str, delivery: &mut Delivery<'_>) -> Result<()> {
        self.hash_member(&format!("{key_text}:["))?;
        self.expect(b'[', "the array of entries")?;
        let mut pool: InOrder<Result<Vec<Entry>>> = InOrder::new("decode")?;
        let mut batch = Batch::default();
        let mut any = false;
        loop {
            match self.peek()? {
                None => return Err(self.cut()),
                Some(b']') if !any => break,
                Some(_) => {}
            }
            if any {
                batch.text.push(b',');
            }
            any = true;
            let (from, place) = (batch.text.len(), self.place());
            self.value(&mut batch.text, ENTRY_TEXT_BYTES_MAX)?;
            batch.entries.push((from, batch.text.len(), place));
            if batch.text.len() >= WORK_BYTES
                && let Some(done) = self.hand_over(std::mem::take(&mut batch), &mut pool)?
            {
                delivery.deliver(done?)?;
            }
            match self.peek()? {
                Some(b',') => self.stream.advance(1),
                Some(b']') => break,
                Some(_) => return Err(self.place().malformed("expected a comma between entries")),
                None => return Err(self.cut()),
            }
        }
        self.stream.advance(1);
        if let Some(done) = self.hand_over(batch, &mut pool)? {
            delivery.deliver(done?)?;
        }
        while let Some(done) = pool.pop()? {
            delivery.deliver(done?)?;
        }
        self.digest.update_bytes(b"]")
    }

    /// The ids that a delta removes.
    fn deletes(&mut self, key_text: &str, delivery: &mut Delivery<'_>) -> Result<()> {
        self.hash_member(&format!("{key_text}:["))?;
        self.expect(b'[', "the array of removed ids")?;
        let (mut text, mut ids, mut any) = (Vec::new(), Vec::new(), false);
        while self.peek()? != Some(b']') || any {
            if any {
                text.push(b',');
            }
            let (from, place) = (text.len(), self.place());
            self.value(&mut text, MEMBER_BYTES_MAX)?;
            ids.push(decode_id(text.get(from..).unwrap_or_default()).map_err(|error| place.locate(error))?);
            any = true;
            if text.len() >= WORK_BYTES {
                self.digest.update(Arc::new(Piece { bytes: std::mem::take(&mut text), skipped: Vec::new() }))?;
                delivery.remove(std::mem::take(&mut ids))?;
            }
            match self.peek()? {
                Some(b',') => self.stream.advance(1),
                Some(b']') => break,
                Some(_) => return Err(self.place().malformed("expected a comma between ids")),
                None => return Err(self.cut()),
            }
        }
        self.stream.advance(1);
        self.digest.update_bytes(&text)?;
        delivery.remove(ids)?;
        self.digest.update_bytes(b"]")
    }

    fn hand_over(
        &mut self,
        batch: Batch,
        pool: &mut InOrder<Result<Vec<Entry>>>,
    ) -> Result<Option<Result<Vec<Entry>>>> {
        let piece = Arc::new(Piece { bytes: batch.text, skipped: Vec::new() });
        self.digest.update(piece.clone())?;
        let places = batch.entries;
        pool.push(move || {
            places
                .into_iter()
                .map(|(from, to, place)| {
                    decode_entry(piece.bytes.get(from..to).unwrap_or_default()).map_err(|error| place.locate(error))
                })
                .collect()
        })
    }
}

/// Entries on their way to the decoders: their text, and where each lies in it and in the file.
#[derive(Default)]
struct Batch {
    text: Vec<u8>,
    entries: Vec<(usize, usize, Place)>,
}

/// Reads the whole archive; returns its head and the checksum of its content.
pub(super) fn read(stream: Stream, delivery: &mut Delivery<'_>) -> Result<(Head, String)> {
    let mut reader = Reader { stream, line: 1, line_start: 0, digest: Digest::start()?, first: true };
    let mut head = Head::unknown();
    let mut seen: Vec<String> = Vec::new();
    reader.expect(b'{', "an object")?;
    reader.digest.update_bytes(b"{")?;
    while reader.peek()? != Some(b'}') {
        if !seen.is_empty() {
            reader.expect(b',', "a comma or the end of the object")?;
            reader.peek()?;
        }
        let place = reader.place();
        let (key, key_text) = reader.key()?;
        if seen.contains(&key) {
            return Err(place.malformed(&format!("two members '{}'", shown(&key))));
        }
        match key.as_str() {
            "vectors" => {
                delivery.begin(&head, false)?;
                reader.vectors(&key_text, delivery)?;
            }
            "puts" if head.link.is_some() => {
                delivery.begin(&head, true)?;
                reader.vectors(&key_text, delivery)?;
            }
            "deletes" if seen.iter().any(|key| key == "puts") && head.link.is_some() => {
                reader.deletes(&key_text, delivery)?;
            }
            _ => reader.member(&mut head, &key, &key_text)?,
        }
        seen.push(key);
        if seen.len() > MEMBERS_MAX {
            return Err(place.malformed("too many members"));
        }
    }
    reader.stream.advance(1);
    reader.digest.update_bytes(b"}")?;
    if reader.peek()?.is_some() {
        return Err(reader.place().malformed("other text follows the archive"));
    }
    check_members(&seen).map_err(|what| reader.place().malformed(what))?;
    let checksum = reader.digest.finish()?;
    Ok((head, checksum))
}
