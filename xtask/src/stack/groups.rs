//! Control groups for the parts of a stack: their shares, and what each has used.

use std::collections::BTreeMap;

use crate::cgroup::{OwnGroup, Used};
use crate::compose::Limits;
use crate::error::Error;
use crate::process::{family, stat};

/// A group for each part, by the part's name: `nginx`, `api1`, `api2`..., `db`.
///
/// Whoever starts a part puts it into its group at once; a part without one is free.
#[derive(Debug, Default)]
pub struct Groups(BTreeMap<String, OwnGroup>);

impl Groups {
    /// Makes the groups, each with its limits, or all without any.
    ///
    /// # Errors
    /// Only root may make groups.
    pub fn create(limits: &BTreeMap<String, Limits>, limited: bool) -> Result<Groups, Error> {
        let make = |(name, limits): (&String, &Limits)| {
            let group = OwnGroup::create(name, limited.then_some(limits))?;
            Ok((name.clone(), group))
        };
        limits
            .iter()
            .map(make)
            .collect::<Result<_, Error>>()
            .map(Groups)
    }

    /// Puts a process of a part, and all that it has started, into the part's group. To be called
    /// when it has just started, for its memory, and again once it is ready: on a busy machine its
    /// children may have been faster than the first call.
    pub(crate) fn take(&self, part: &str, pid: u32) -> Result<(), Error> {
        let Some(group) = self.0.get(part) else {
            return Ok(());
        };
        let family = family(pid);
        let taken = family
            .into_iter()
            .try_for_each(|pid| match group.take(pid) {
                // One that has ended meanwhile needs no group.
                Err(_) if stat(pid).is_none() => Ok(()),
                other => other,
            });
        taken.map_err(Error::while_doing(format!("the control group of {part}")))
    }

    /// What each part has used so far.
    pub(crate) fn used(&self) -> Result<BTreeMap<String, Used>, Error> {
        let used = |(name, group): (&String, &OwnGroup)| Ok((name.clone(), group.used()?));
        self.0.iter().map(used).collect()
    }
}
