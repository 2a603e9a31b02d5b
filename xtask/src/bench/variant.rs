//! What is measured: the stack as it is shipped, with single things changed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use yaml_rust2::{Yaml, YamlLoader};

use super::Mix;
use super::record::SHIPPED;
use crate::build;
use crate::checkout::checkout;
use crate::compose::{Limits, check_sum, thousandths};
use crate::error::Error;
use crate::stack::{Driver, Options, Proxy, Sockets};

/// What a crash may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
pub enum Store {
    /// Nothing that was answered: logged tables, fsync, `full_page_writes`, `synchronous_commit`
    #[default]
    Durable,
    /// The last answers: `synchronous_commit` off
    Relaxed,
    /// Everything: UNLOGGED tables and no flush at all, as most of the contest's entries have it
    Reckless,
}

impl Store {
    /// Settings of PostgreSQL that differ from a durable store's.
    pub fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Store::Durable => &[],
            Store::Relaxed => &[("synchronous_commit", "off")],
            Store::Reckless => &[
                ("synchronous_commit", "off"),
                ("fsync", "off"),
                ("full_page_writes", "off"),
            ],
        }
    }

    /// What is done to the fresh tables.
    pub fn sql(self) -> Option<&'static str> {
        (self == Store::Reckless).then_some(
            "ALTER TABLE banco.clientes SET UNLOGGED; ALTER TABLE banco.lotes SET UNLOGGED",
        )
    }
}

/// The composition, and what goes on top of it for [`Proxy::Stream`].
const CONTEST: &str = "docker-compose.yml";
const STREAM: &str = "docker-compose.stream.yml";

/// What [`Variant::changed`] takes.
pub(super) const CHANGES: &str = "driver=auto|io_uring|epoll, sockets=unix|tcp, \
    store=durable|relaxed|reckless, proxy=http|stream, limits=none, cpus=NGINX/REPLICA/DB, \
    mix=contest|writes|creditos|extratos, crebito=FILE, nginx.conf=FILE, \
    postgres.SETTING=VALUE, or a variable of the replicas such as PAUSE_US=0";

/// One stack to be measured.
#[derive(Clone, Debug)]
pub struct Variant {
    /// What the report calls it.
    pub name: String,
    /// The stack, without groups.
    pub options: Options,
    /// What it is asked under a closed loop.
    pub mix: Mix,
    /// How durable.
    pub store: Store,
    /// Within docker-compose.yml's limits.
    pub limited: bool,
    /// What each service may use.
    pub shares: BTreeMap<String, Limits>,
    /// What PostgreSQL is told for these shares, beside its file.
    pub fitting: Vec<(String, String)>,
}

impl Variant {
    /// The stack of `options` as docker-compose.yml ships it: durable, and within its limits.
    ///
    /// # Errors
    /// The file is not as it should be.
    pub(super) fn shipped(options: Options) -> Result<Variant, Error> {
        Ok(Variant {
            name: SHIPPED.to_owned(),
            mix: Mix::Contest,
            store: Store::Durable,
            limited: true,
            shares: shares(options.proxy)?,
            fitting: fitting(options.proxy)?,
            options,
        })
    }

    /// The same with something changed, by `NAME=VALUE` of `CHANGES`; `proxy` brings its shares.
    /// Several changes have a space between them.
    ///
    /// # Errors
    /// The value is none that the name takes.
    pub fn changed(&self, changes: &str) -> Result<Variant, Error> {
        let mut other = self.clone();
        changes.clone_into(&mut other.name);
        let wanted = || {
            Error::new(format!(
                "--against {changes}: NAME=VALUE is wanted, one of {CHANGES}"
            ))
        };
        if changes.trim().is_empty() {
            return Err(wanted());
        }
        for change in changes.split_whitespace() {
            let (name, value) = change.split_once('=').ok_or_else(wanted)?;
            other.change(change, name, value)?;
        }
        Ok(other)
    }

    fn change(&mut self, change: &str, name: &str, value: &str) -> Result<(), Error> {
        let pair = |name: &str| (name.to_owned(), value.to_owned());
        match name {
            "driver" => self.options.driver = parsed::<Driver>(change, value)?,
            "sockets" => self.options.sockets = parsed::<Sockets>(change, value)?,
            "store" => self.store = parsed::<Store>(change, value)?,
            "mix" => self.mix = parsed::<Mix>(change, value)?,
            "limits" if value == "none" => self.limited = false,
            "proxy" => {
                self.options.proxy = parsed::<Proxy>(change, value)?;
                self.shares = shares(self.options.proxy)?;
                self.fitting = fitting(self.options.proxy)?;
            }
            "cpus" => self.share_cpus(value).map_err(Error::while_doing(change))?,
            "nginx.conf" => self.options.nginx_conf = Some(PathBuf::from(value)),
            "crebito" => {
                self.options.crebito = build::named(value).map_err(Error::while_doing(change))?;
            }
            _ => match name.strip_prefix("postgres.") {
                Some(setting) => self.options.postgres_settings.push(pair(setting)),
                None if name
                    .chars()
                    .all(|sign| sign.is_ascii_uppercase() || sign == '_') =>
                {
                    self.options.env.push(pair(name));
                }
                None => return Err(Error::new(format!("--against {change}: one of {CHANGES}"))),
            },
        }
        Ok(())
    }

    /// Other CPU shares, such as `0.65/0.17/0.51`, in sum the contest's.
    fn share_cpus(&mut self, value: &str) -> Result<(), Error> {
        let cpus = value
            .split('/')
            .map(thousandths)
            .collect::<Option<Vec<u64>>>();
        let Some([nginx, replica, db]) = cpus.as_deref() else {
            return Err(Error::new(
                "three numbers are wanted, such as 0.65/0.17/0.51",
            ));
        };
        for (name, limits) in &mut self.shares {
            limits.cpu_millis = match name.as_str() {
                "nginx" => *nginx,
                "db" => *db,
                _ => *replica,
            };
        }
        check_sum(&self.shares)
    }

    /// The options with those of the store, and of the shares. The last of one name counts.
    pub(super) fn stack_options(&self) -> Options {
        let mut options = self.options.clone();
        let asked = std::mem::replace(&mut options.postgres_settings, self.fitting.clone());
        options.postgres_settings.extend(asked);
        let settings = self.store.settings().iter();
        let owned = settings.map(|&(name, value)| (name.to_owned(), value.to_owned()));
        options.postgres_settings.extend(owned);
        options
    }
}

fn parsed<T: clap::ValueEnum>(change: &str, value: &str) -> Result<T, Error> {
    let none = |_| Error::new(format!("--against {change}: one of {CHANGES}"));
    T::from_str(value, false).map_err(none)
}

/// The limits of docker-compose.yml by service, and of what goes on top of it for `proxy`, so that
/// bench and composition cannot differ.
///
/// # Errors
/// A file is not as it should be.
fn shares(proxy: Proxy) -> Result<BTreeMap<String, Limits>, Error> {
    let mut shares = limits_of(CONTEST)?;
    if proxy == Proxy::Stream {
        shares.extend(limits_of(STREAM)?);
    }
    Ok(shares)
}

/// What the database is told on its command line for `proxy` alone, from the same file.
///
/// # Errors
/// A file is not as it should be.
fn fitting(proxy: Proxy) -> Result<Vec<(String, String)>, Error> {
    if proxy == Proxy::Http {
        return Ok(Vec::new());
    }
    let command = |file| -> Result<Vec<Yaml>, Error> {
        let db = &document(file)?["services"]["db"];
        let none = || Error::new(format!("{file}: the database's command is no list"));
        db["command"].as_vec().cloned().ok_or_else(none)
    };
    let everywhere = command(CONTEST)?;
    let mut own = command(STREAM)?;
    own.retain(|word| !everywhere.contains(word));
    let setting = |word: &Yaml| {
        let setting = word.as_str().and_then(|word| word.strip_prefix("-c"));
        let pair = setting.and_then(|setting| setting.split_once('='));
        let none = || Error::new(format!("{STREAM}: {word:?} is no -cNAME=VALUE"));
        let (name, value) = pair.ok_or_else(none)?;
        Ok((name.to_owned(), value.to_owned()))
    };
    own.iter().map(setting).collect()
}

fn document(file: &str) -> Result<Yaml, Error> {
    let path = checkout()?.join(file);
    let text = std::fs::read_to_string(&path).map_err(Error::while_doing(path.display()))?;
    let documents = YamlLoader::load_from_str(&text);
    let documents = documents.map_err(Error::while_doing(path.display()))?;
    Ok(documents.into_iter().next().unwrap_or(Yaml::Null))
}

fn limits_of(file: &str) -> Result<BTreeMap<String, Limits>, Error> {
    let document = document(file)?;
    let services = document["services"].as_hash();
    let services = services.ok_or_else(|| Error::new(format!("{file} has no services")))?;
    let share = |(name, service): (&Yaml, &Yaml)| {
        let name = name.as_str().unwrap_or_default();
        // One level of merging (`<<: *replica`) is all that the files have.
        let deploy = match &service["deploy"] {
            Yaml::BadValue => &service["<<"]["deploy"],
            own => own,
        };
        let limits = Limits::read(deploy).map_err(Error::while_doing(name))?;
        Ok((name.to_owned(), limits))
    };
    services.iter().map(share).collect()
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Store::Durable => "durable",
            Store::Relaxed => "relaxed",
            Store::Reckless => "reckless",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::check_sum;

    #[test]
    fn the_shares_are_the_contests() {
        for proxy in [Proxy::Http, Proxy::Stream] {
            let shares = shares(proxy).unwrap();
            assert_eq!(
                shares.keys().collect::<Vec<_>>(),
                ["api1", "api2", "db", "nginx"]
            );
            check_sum(&shares).unwrap();
        }
        assert_ne!(shares(Proxy::Http).unwrap(), shares(Proxy::Stream).unwrap());
    }

    #[test]
    fn buffers_fit_the_share_of_memory() {
        let shipped = Variant::shipped(Options::new("crebito")).unwrap();
        assert_eq!(shipped.stack_options().postgres_settings, []);
        let stream = shipped
            .changed("proxy=stream postgres.shared_buffers=1MB")
            .unwrap();
        let settings = stream.stack_options().postgres_settings;
        let names: Vec<_> = settings.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["shared_buffers"; 2]);
        assert_eq!(
            settings.last().unwrap().1,
            "1MB",
            "what is asked for counts"
        );
        let back = stream.changed("proxy=http").unwrap();
        assert_eq!(back.stack_options().postgres_settings.len(), 1);
    }

    #[test]
    fn a_variant_differs_in_what_is_asked_for() {
        let shipped = Variant::shipped(Options::new("crebito")).unwrap();
        let reckless = shipped.changed("store=reckless").unwrap();
        assert_eq!(reckless.store, Store::Reckless);
        assert_eq!(reckless.stack_options().postgres_settings.len(), 3);
        assert_eq!(shipped.changed("mix=extratos").unwrap().mix, Mix::Extratos);
        let paused = shipped.changed("PAUSE_US=0").unwrap();
        assert_eq!(
            paused.options.env,
            [("PAUSE_US".to_owned(), "0".to_owned())]
        );
        let tuned = shipped.changed("postgres.commit_delay=10").unwrap();
        let expected = ("commit_delay".to_owned(), "10".to_owned());
        assert_eq!(tuned.options.postgres_settings, [expected]);
        assert!(!shipped.changed("limits=none").unwrap().limited);
        let split = shipped.changed("cpus=0.7/0.15/0.5").unwrap();
        assert_eq!(split.shares.get("nginx").unwrap().cpu_millis, 700);
        let stream = shipped.changed("proxy=stream PAUSE_US=0").unwrap();
        assert_eq!(stream.options.proxy, Proxy::Stream);
        assert_eq!(stream.shares, shares(Proxy::Stream).unwrap());
        assert_eq!(stream.options.env, paused.options.env);
        for wrong in [
            "cpus=0.7/0.2/0.5",
            "cpus=1.5",
            "cpus=a/b/c",
            "crebito=no/such",
        ] {
            assert!(shipped.changed(wrong).is_err(), "{wrong}");
        }
        // Each that is told of is taken.
        for (names, value) in CHANGES.split(", ").filter_map(|one| one.split_once('=')) {
            let name = names.rsplit(' ').next().unwrap();
            for value in value.split('|') {
                let value = match name {
                    "cpus" => "0.65/0.17/0.51",
                    "crebito" => "/bin/sh",
                    _ => value,
                };
                let change = format!("{name}={value}");
                assert!(shipped.changed(&change).is_ok(), "{change}");
            }
        }
        for wrong in [
            "",
            "driver",
            "driver=select",
            "proxy=stream driver",
            "store=safe",
            "speed=more",
            "limits=many",
            "mix=none",
        ] {
            let error = shipped.changed(wrong).unwrap_err().to_string();
            assert!(error.ends_with(CHANGES), "{error}");
        }
    }
}
