//! The fingerprint of a whole version, taken on every core.

use super::version::Version;
use crate::control::Control;
use crate::error::Result;
use crate::format::{Entry, Fingerprint};
use crate::workers::InOrder;
use std::sync::Arc;

const WORK_ENTRIES: usize = 4_096;

/// The fingerprint of a version's content.
pub fn fingerprint(version: &Version, control: &Control) -> Result<Fingerprint> {
    fingerprint_of(version.entries(), control)
}

/// The fingerprint of some entries.
pub fn fingerprint_of(mut entries: impl Iterator<Item = Result<Arc<Entry>>>, control: &Control) -> Result<Fingerprint> {
    let mut pool = InOrder::new("fingerprint")?;
    let mut whole = Fingerprint::default();
    loop {
        control.check()?;
        let work: Vec<Arc<Entry>> = entries.by_ref().take(WORK_ENTRIES).collect::<Result<_>>()?;
        if work.is_empty() {
            break;
        }
        let part = pool.push(move || {
            let mut part = Fingerprint::default();
            work.iter().for_each(|entry| part.add(entry));
            part
        })?;
        whole.join(&part.unwrap_or_default());
    }
    while let Some(part) = pool.pop()? {
        whole.join(&part);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Collection, MetadataRule};

    fn of(entries: &[(&str, f32, Option<&str>)]) -> String {
        let mut collection = Collection::default();
        for (id, x, text) in entries {
            collection.put(id, &[*x, 1.0], *text, MetadataRule::Replace).unwrap();
        }
        fingerprint(&collection.version(), &Control::default()).unwrap().to_string()
    }

    #[test]
    fn order_does_not_matter_and_every_bit_does() {
        let base = of(&[("a", 1.0, None), ("b", 2.0, Some("{}"))]);
        assert_eq!(base, of(&[("b", 2.0, Some("{}")), ("a", 1.0, None)]));
        for other in [
            of(&[("a", 1.0, None)]),
            of(&[("a", 1.000_000_1, None), ("b", 2.0, Some("{}"))]),
            of(&[("a", 1.0, Some("{}")), ("b", 2.0, Some("{}"))]),
            of(&[("a", 2.0, None), ("b", 1.0, Some("{}"))]),
            of(&[("a", 0.0, None)]),
            of(&[("a", -0.0, None)]),
        ] {
            assert_ne!(base, other);
        }
        assert_ne!(of(&[("a", 0.0, None)]), of(&[("a", -0.0, None)]));
        let keys = |text| of(&[("a", 1.0, Some(text))]);
        assert_eq!(keys(r#"{"a":1,"b":{"c":[2],"d":""}}"#), keys(r#"{"b":{"d":"","c":[2]},"a":1}"#));
        assert_ne!(keys(r#"{"a":1,"b":2}"#), keys(r#"{"a":2,"b":1}"#));
    }
}
