//! Fresh stacks to be measured, and the groups that they are put into.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Variant;
use crate::cgroup::Used;
use crate::error::Error;
use crate::stack::{Groups, Stack};
use crate::warn;

/// A fresh stack of a variant, with its groups: its store's tables made, and all of it on the disk.
///
/// # Errors
/// It does not start, or its limits cannot be had.
pub(super) fn fresh(variant: &Variant) -> Result<(Stack, Option<Arc<Groups>>), Error> {
    let mut options = variant.stack_options();
    options.groups = groups(variant)?;
    let stack = Stack::private(&options)?;
    if let Some(sql) = variant.store.sql() {
        stack.psql(sql)?;
    }
    stack.sync_data()?;
    Ok((stack, options.groups))
}

/// A group for each service with its limits, or, where limits are not wanted, without; none where
/// they cannot be made, which is said.
///
/// # Errors
/// Limits are wanted and cannot be had.
pub(super) fn groups(variant: &Variant) -> Result<Option<Arc<Groups>>, Error> {
    match Groups::create(&variant.shares, variant.limited) {
        Ok(groups) => Ok(Some(Arc::new(groups))),
        Err(error) if variant.limited => Err(Error::new(format!(
            "limits cannot be set here: {error}. Run it as root, or with --no-limits"
        ))),
        Err(error) => {
            warn(format!("memory of the services is not known: {error}"));
            Ok(None)
        }
    }
}

/// What each service has used so far, where there are groups.
///
/// # Errors
/// A group cannot be read.
pub(super) fn used(groups: Option<&Groups>) -> Result<BTreeMap<String, Used>, Error> {
    groups.map_or_else(|| Ok(BTreeMap::new()), Groups::used)
}
