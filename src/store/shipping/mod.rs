//! A part of a log as one file, for a collection elsewhere that was restored from a snapshot of the same one: what the
//! log says is written out here and done there, under the same numbers and with the same times.
//!
//! A file says of which collection it is, which changes it holds, and what the change before them was. So a gap, a foreign
//! collection, and one that went its own way are told before anything is done; and doing a file twice changes nothing more.

mod descriptor;
mod export;
mod import;

pub use descriptor::Descriptor;
pub use export::{Export, Exported, Since};
pub use import::{Import, Imported};
