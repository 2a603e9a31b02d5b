//! What is compared: a bank at a URL, one that a TOML file describes, or one that is shipped.

use std::path::Path;

use super::super::variant::{Store, Variant};
use super::description::Description;
use super::figures::{About, Role};
use crate::error::Error;
use crate::install::{self, Need};
use crate::stack::{Driver, Proxy, Sockets};

/// One of them, with the name that the report has for it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Bank(Box<Variant>),
    Floor(Box<Variant>),
    Ceiling(Box<Variant>),
    Foreign(Box<Description>),
}

/// Short names for what `cargo xtask bench --against` calls by its setting.
const CHANGES: [(&str, &str); 10] = [
    ("stream", "proxy=stream"),
    ("tcp", "sockets=tcp"),
    ("unix", "sockets=unix"),
    ("epoll", "driver=epoll"),
    ("io_uring", "driver=io_uring"),
    ("relaxed", "store=relaxed"),
    ("reckless", "store=reckless"),
    ("unpaused", "PAUSE_US=0"),
    ("unbatched", "FLIGHT_MAX=1"),
    ("unlimited", "limits=none"),
];

impl Target {
    /// By what was typed; `shipped` is the stack as it is.
    ///
    /// # Errors
    /// It is none, or its file cannot be read.
    pub fn find(typed: &str, shipped: &Variant) -> Result<Target, Error> {
        let own = |name: &str, kind: fn(Box<Variant>) -> Kind| Target {
            name: name.to_owned(),
            kind: kind(Box::new(shipped.clone())),
        };
        let foreign = |description: Description| Target {
            name: description.name.clone(),
            kind: Kind::Foreign(Box::new(description)),
        };
        match typed {
            "crebito" => return Ok(own("crebito", Kind::Bank)),
            "floor" => return Ok(own("NGINX alone", Kind::Floor)),
            "floor+stream" => {
                let kind = Kind::Floor(Box::new(shipped.changed("proxy=stream")?));
                let name = "NGINX alone, stream".to_owned();
                return Ok(Target { name, kind });
            }
            "ceiling" => return Ok(own("pgbench", Kind::Ceiling)),
            _ => {}
        }
        if typed.starts_with("http://") {
            return Ok(foreign(Description::at(typed)));
        }
        let path = Path::new(typed);
        if path.extension().is_some_and(|end| end == "toml") {
            return Description::read(path).map(foreign);
        }
        let mut variant = shipped.clone();
        for part in typed.split('+') {
            let known = CHANGES.iter().find(|(name, _)| *name == part);
            let change = known.map_or(part, |(_, change)| change);
            if !change.contains('=') {
                return Err(Error::new(format!("{typed}: {}", known_targets())));
            }
            variant = variant.changed(change)?;
        }
        if variant.mix != shipped.mix {
            let whole = "all that are compared are asked the same";
            return Err(Error::new(format!("{typed}: {whole}")));
        }
        let name = format!("crebito {typed}");
        Ok(Target {
            name,
            kind: Kind::Bank(Box::new(variant)),
        })
    }

    /// What Debian has to install for it.
    pub fn needs(&self) -> &'static [Need] {
        match &self.kind {
            Kind::Bank(it) | Kind::Floor(it) | Kind::Ceiling(it) => {
                install::needs_of(it.options.proxy)
            }
            Kind::Foreign(_) => &[],
        }
    }

    /// As far as it is known before it runs.
    pub fn about(&self) -> About {
        let (role, what) = match &self.kind {
            Kind::Bank(variant) => (Role::Bank, in_words(variant)),
            Kind::Floor(variant) => (
                Role::Floor,
                format!(
                    "the floor under every bank: {} in front of one that answers a constant, and \
                     no database",
                    nginx_in_words(variant.options.proxy)
                ),
            ),
            Kind::Ceiling(_) => (
                Role::Ceiling,
                "the ceiling of a bank that makes one call for each transacao: pgbench on that \
                 procedure, the database alone"
                    .to_owned(),
            ),
            Kind::Foreign(description) => (Role::Bank, description.in_words()),
        };
        About {
            name: self.name.clone(),
            role,
            what,
            facts: None,
        }
    }
}

/// Gives those that have the same name numbers: a target against itself shows the noise.
pub(super) fn told_apart(targets: &mut [Target]) {
    for index in 1..targets.len() {
        let (before, rest) = targets.split_at_mut(index);
        let Some(target) = rest.first_mut() else {
            continue;
        };
        let same = |other: &&Target| {
            let numbered = other.name.strip_prefix(&target.name);
            numbered.is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
        };
        let count = before.iter().filter(same).count();
        if count > 0 {
            target.name = format!("{} ({})", target.name, count + 1);
        }
    }
}

fn known_targets() -> String {
    let names: Vec<&str> = CHANGES.iter().map(|(name, _)| *name).collect();
    format!(
        "no such target. A target is http://HOST:PORT, a FILE.toml, crebito, floor, floor+stream, \
         ceiling, or what is changed of crebito, several joined by +: {}, or NAME=VALUE as `cargo \
         xtask bench --against` takes it",
        names.join(", ")
    )
}

fn nginx_in_words(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Http => "NGINX",
        Proxy::Stream => "NGINX as a pipe of bytes",
    }
}

fn in_words(variant: &Variant) -> String {
    let options = &variant.options;
    let proxy = nginx_in_words(options.proxy);
    let sockets = match options.sockets {
        Sockets::Unix => "Unix sockets",
        Sockets::Tcp => "TCP",
    };
    let driver = match options.driver {
        Driver::Auto => String::new(),
        driver => format!(", {}", driver.as_str()),
    };
    let store = match variant.store {
        Store::Durable => "durable",
        Store::Relaxed => "relaxed: a crash costs the last answers",
        Store::Reckless => "reckless: a crash costs everything",
    };
    let limits = match variant.limited {
        true => "within the contest's 1.5 CPU and 550 MB",
        false => "without limits",
    };
    let replicas = options.replicas;
    let settings = options.env.iter().chain(&options.postgres_settings);
    let settings: String = settings
        .map(|(name, value)| format!(", {name}={value}"))
        .collect();
    format!("{proxy}, {replicas} replicas, {sockets}{driver}; {store}; {limits}{settings}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::Options;

    fn find(typed: &str) -> Result<Target, Error> {
        let shipped = Variant::shipped(Options::new("crebito")).unwrap();
        Target::find(typed, &shipped)
    }

    #[test]
    fn what_is_typed_is_found() {
        let check = |typed: &str, name: &str, words: &str| {
            let target = find(typed).unwrap();
            let about = target.about();
            assert_eq!(about.name, name, "{typed}");
            assert!(about.what.contains(words), "{typed}: {}", about.what);
        };
        check("crebito", "crebito", "Unix sockets; durable; within");
        check(
            "tcp+epoll+relaxed",
            "crebito tcp+epoll+relaxed",
            "TCP, epoll; relaxed",
        );
        check("unbatched", "crebito unbatched", "FLIGHT_MAX=1");
        check("unlimited", "crebito unlimited", "without limits");
        check("PAUSE_US=9", "crebito PAUSE_US=9", "PAUSE_US=9");
        check("floor", "NGINX alone", "no database");
        check("floor+stream", "NGINX alone, stream", "a pipe of bytes in");
        check("ceiling", "pgbench", "the ceiling");
        check("http://there:1", "there:1", "http://there:1");
        for typed in [
            "nothing",
            "driver=none",
            "mix=extratos",
            "epoll+",
            "none.toml",
            "",
        ] {
            assert!(find(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn the_same_twice_is_told_apart() {
        let mut targets = ["epoll", "floor", "epoll", "epoll"].map(|typed| find(typed).unwrap());
        told_apart(&mut targets);
        let names = targets.map(|target| target.name);
        let expected = [
            "crebito epoll",
            "NGINX alone",
            "crebito epoll (2)",
            "crebito epoll (3)",
        ];
        assert_eq!(names, expected);
    }
}
