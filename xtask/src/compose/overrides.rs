//! The files that go on top of docker-compose.yml, each for real: NGINX as a pipe of bytes, and
//! the store without durability.

use super::composition::Composition;
use super::container::Container;
use super::engine::Engine;
use super::report::Step;
use super::variant::{Folder, Variant};
use super::{all_serve, begin, driver, note};
use crate::bench::Store;
use crate::checkout::checkout;
use crate::error::Error;
use crate::machine;

/// One such file, and what must be true of what it makes.
struct Override {
    name: &'static str,
    file: &'static str,
    check: fn(&Composition, &[Container]) -> Result<(), Error>,
}

const ALL: [Override; 2] = [
    Override {
        name: "NGINX stream",
        file: "docker-compose.stream.yml",
        check: is_stream,
    },
    Override {
        name: "reckless",
        file: "docker-compose.reckless.yml",
        check: is_reckless,
    },
];

/// Brings each up with `image`, asks it, and takes it down.
///
/// # Errors
/// Something is not as it must be.
pub(super) fn prove(engine: &Engine, project: &str, image: &str) -> Result<Vec<Step>, Error> {
    let prove = |one: &Override| {
        note(format_args!("{}: up", one.name));
        prove_one(engine, project, image, one).map_err(Error::while_doing(one.name))
    };
    ALL.iter().map(prove).collect()
}

fn prove_one(engine: &Engine, project: &str, image: &str, one: &Override) -> Result<Step, Error> {
    let port = machine::free_port()?;
    let environment = vec![
        ("CREBITO_PORT", port.to_string()),
        ("CREBITO_IMAGE", image.to_owned()),
    ];
    let folder = Folder::Checkout(checkout()?);
    let mut composition = Composition::new(engine, project, folder, environment, port)?;
    composition.take_files(&["docker-compose.yml", one.file])?;
    let variant = Variant::default();
    let (took, containers) = begin(&mut composition, &variant)?;
    let driver = driver(&composition, &containers, &variant)?;
    let operations = all_serve(&composition, &containers)?;
    (one.check)(&composition, &containers)?;
    composition.take_down()?;
    Ok(Step::without_load(one.name, driver, took, operations))
}

fn is_stream(composition: &Composition, _: &[Container]) -> Result<(), Error> {
    let conf = composition.execute("nginx", &["cat", "/etc/nginx/nginx.conf"])?;
    let has = |block: &str| conf.lines().any(|line| line == block);
    match has("stream {") && !has("http {") {
        true => Ok(()),
        false => Err(Error::new("NGINX runs with another configuration")),
    }
}

fn is_reckless(composition: &Composition, containers: &[Container]) -> Result<(), Error> {
    for (name, value) in Store::Reckless.settings() {
        let found = composition.sql(containers, &format!("SHOW {name}"))?;
        if found.trim() != *value {
            return Err(Error::new(format!("{name} is {found}")));
        }
    }
    let logged = "SELECT count(*) FROM pg_class WHERE relnamespace = 'banco'::regnamespace \
                  AND relkind = 'r' AND relpersistence <> 'u'";
    match composition.sql(containers, logged)?.trim() {
        "0" => Ok(()),
        count => Err(Error::new(format!("{count} tables are logged"))),
    }
}
