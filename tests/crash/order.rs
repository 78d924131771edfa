//! Rules of durable order: what must be on the disk before something else may happen.
//!
//! A rule looks at each call before it happens, and at the disk at that moment. A rename or a removal may become durable
//! as soon as it was called, so that is the moment to judge it by. A broken rule is a fault of the store even where no
//! image of the run shows a loss.

use crate::fault::{Call, Kind};
use crate::names::Node;
use crate::state::State;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Says what is wrong with a call at this moment.
pub type Rule = Arc<dyn Fn(&Call, &State) -> Result<(), String> + Send + Sync>;

/// Whether the bytes of the file at that path, as processes see it, are all durable.
pub fn content_is_durable(state: &State, path: &Path) -> Result<(), String> {
    match state.names.find(path) {
        Some(Node::File(file)) if state.pending.iter().any(|pending| pending.atom.file() == Some(file)) => {
            Err(format!("{} has bytes that are not durable", path.display()))
        }
        Some(_) => Ok(()),
        None => Err(format!("{} is missing", path.display())),
    }
}

/// Whether the path leads to the same file after any power cut.
pub fn name_is_durable(state: &State, path: &Path) -> Result<(), String> {
    let mut found = Some(path);
    while let Some(at) = found {
        if state.durable_names.find(at) != state.names.find(at) {
            return Err(format!("the name {} is not durable", at.display()));
        }
        found = at.parent();
    }
    Ok(())
}

/// A file is renamed only when all of its bytes are durable.
pub fn content_before_rename() -> Rule {
    Arc::new(|call, state| match call.kind {
        Kind::Rename => content_is_durable(state, &call.path),
        _ => Ok(()),
    })
}

/// A list (such as a manifest) gets its name only when every file that it names is durable, bytes and name. `named` says
/// which paths the content of a list names; what is renamed to anything but `list` is none.
pub fn listed_files_before_list(list: &Path, named: fn(&[u8]) -> Vec<PathBuf>) -> Rule {
    let list = list.to_path_buf();
    Arc::new(move |call, state| {
        if call.kind != Kind::Rename || call.to.as_ref() != Some(&list) {
            return Ok(());
        }
        for path in named(&state.bytes(&call.path).unwrap_or_default()) {
            content_is_durable(state, &path)?;
            name_is_durable(state, &path)?;
        }
        Ok(())
    })
}

/// A file is removed only when the durable list does not name it any more.
pub fn list_before_removal(list: &Path, named: fn(&[u8]) -> Vec<PathBuf>) -> Rule {
    let list = list.to_path_buf();
    Arc::new(move |call, state| {
        let listed = || named(&state.durable_bytes(&list).unwrap_or_default());
        if call.kind == Kind::Remove && state.names.find(&call.path).is_some() && listed().contains(&call.path) {
            return Err(format!("the durable {} still names it", list.display()));
        }
        Ok(())
    })
}

/// Nothing is acknowledged as durable while a file that `counts` has bytes that are not.
pub fn sync_before_acknowledgement(counts: fn(&str) -> bool) -> Rule {
    Arc::new(move |call, state| {
        if call.kind != Kind::Acknowledge {
            return Ok(());
        }
        for (path, _) in state.names.paths().iter().filter(|(path, _)| counts(path)) {
            content_is_durable(state, Path::new(path))?;
        }
        Ok(())
    })
}
