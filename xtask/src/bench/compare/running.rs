//! A target that runs: what all of them can be asked while they are loaded.

use std::net::SocketAddr;
use std::sync::Arc;

use super::super::check;
use super::super::floor::Floor;
use super::super::fresh::fresh;
use super::super::measure::{self, Seen};
use super::super::record::Facts;
use super::super::variant::Variant;
use super::description::Description;
use super::foreign::Foreign;
use crate::error::Error;
use crate::stack::{Groups, Stack};

/// Stopped on drop.
pub(super) enum Running {
    Stack(Box<Stack>, Option<Arc<Groups>>),
    Floor(Box<Floor>),
    Foreign(Box<Foreign>),
}

impl Running {
    /// A fresh stack of ours.
    ///
    /// # Errors
    /// It does not start.
    pub fn stack(variant: &Variant) -> Result<Running, Error> {
        let (stack, groups) = fresh(variant)?;
        Ok(Running::Stack(Box::new(stack), groups))
    }

    pub fn floor(variant: &Variant) -> Result<Running, Error> {
        Floor::start(variant).map(|floor| Running::Floor(Box::new(floor)))
    }

    pub fn foreign(description: &Description) -> Result<Running, Error> {
        let foreign = Foreign::start(description)?;
        Ok(Running::Foreign(Box::new(foreign)))
    }

    pub fn url(&self) -> String {
        match self {
            Running::Stack(stack, _) => stack.url().to_owned(),
            Running::Floor(floor) => format!("http://{}", floor.front.address),
            Running::Foreign(foreign) => foreign.url().to_owned(),
        }
    }

    pub fn address(&self) -> SocketAddr {
        match self {
            Running::Stack(stack, _) => stack.address(),
            Running::Floor(floor) => floor.front.address,
            Running::Foreign(foreign) => foreign.address,
        }
    }

    /// Whether there is a bank behind it, whose answers can be judged.
    pub fn is_bank(&self) -> bool {
        !matches!(self, Running::Floor(_))
    }

    pub fn facts(&self) -> Result<Option<Facts>, Error> {
        match self {
            Running::Stack(stack, _) => measure::facts(stack).map(Some),
            _ => Ok(None),
        }
    }

    /// What its services and the generators have used so far.
    pub fn seen(&self) -> Result<Seen, Error> {
        match self {
            Running::Stack(stack, groups) => measure::seen(stack, groups.as_deref()),
            Running::Foreign(foreign) => foreign.seen(),
            Running::Floor(floor) => floor.seen(),
        }
    }

    /// Rows, and clientes that are wrong, by the database's own word; none where it is not known.
    pub fn counted(&self) -> Result<Option<(u64, u64)>, Error> {
        match self {
            Running::Stack(stack, _) => {
                let check = check::check(stack, 0, 0)?;
                Ok(Some((check.rows, check.wrong_clientes)))
            }
            Running::Floor(_) => Ok(None),
            Running::Foreign(foreign) => foreign.counted(),
        }
    }
}
