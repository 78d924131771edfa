//! Moments with a name.

use crate::error::{Error, Kind, Result};
use crate::limits::ID_BYTES_MAX;
use crate::manifest::RestorePoint;
use crate::store::log::held;
use crate::store::stored::StoredCollection;

impl StoredCollection {
    /// Gives the present moment a name, which one can go back to as long as the log, or a snapshot, leads there.
    pub(in crate::store) fn name_moment(&self, name: &str) -> Result<RestorePoint> {
        let core = self.core();
        core.check_open()?;
        if name.is_empty() || name.len() > ID_BYTES_MAX {
            let message = format!("the name of a restore point has 1 to {ID_BYTES_MAX} bytes");
            return Err(Error::new(Kind::Limit, message));
        }
        if core.volatile {
            let message = format!("collection '{}' is of engine memory: it has no past", core.name);
            return Err(Error::new(Kind::Unsupported, message));
        }
        self.flush()?;
        let point = RestorePoint { name: name.to_owned(), lsn: self.durable_lsn(), time: core.next_time() };
        let mut root = held(&core.root);
        if root.manifest.points.iter().any(|known| known.name == name) {
            return Err(Error::new(Kind::Exists, format!("there is a restore point '{name}' already")));
        }
        let replaced = root.replace(&*core.fs, &core.paths.home, |manifest| {
            let at = manifest.points.partition_point(|known| known.lsn <= point.lsn);
            manifest.points.insert(at, point.clone());
        });
        let in_doubt = root.in_doubt;
        drop(root);
        replaced.inspect_err(|error| core.poison_if(in_doubt, error))?;
        Ok(point)
    }
}
