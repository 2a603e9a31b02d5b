//! The images that a composition is made of.

use std::collections::BTreeSet;
use std::fs;

use super::composition::Composition;
use super::engine::Engine;
use super::note;
use crate::checkout::checkout;
use crate::error::Error;

/// The server's own is smaller than that, in bytes.
const SIZE_MAX: u64 = 5_000_000;

/// Pulls the public images, of the composition and of the build, that are not here.
///
/// # Errors
/// One is not to be had: a sentence with its name.
pub(super) fn fetch(engine: &Engine) -> Result<(), Error> {
    let checkout = checkout()?;
    let read = |name: &str| {
        let path = checkout.join(name);
        fs::read_to_string(&path).map_err(Error::while_doing(path.display()))
    };
    for image in named(&read("docker-compose.yml")?, &read("Dockerfile")?) {
        if engine.image_size(image).is_none() {
            note(format_args!("pulling {image}"));
            let mut pull = engine.docker();
            let pulled = engine.runner.output(pull.args(["pull", image]))?;
            if !pulled.status.success() {
                let error = Error::of_program("docker pull", &pulled);
                return Err(Error::new(format!(
                    "image {image} is not here and cannot be pulled: {error}"
                )));
            }
        }
    }
    Ok(())
}

/// The images that a compose file names outright, and those that a Dockerfile begins with.
fn named<'a>(compose: &'a str, dockerfile: &'a str) -> BTreeSet<&'a str> {
    let services = compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("image: "));
    let services = services.filter(|image| !image.contains('$'));
    let stages = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("FROM "));
    let stages = stages.filter_map(|line| line.split(' ').next());
    services
        .chain(stages.filter(|image| *image != "scratch"))
        .collect()
}

/// The server's image, so that a start is a start and nothing else.
pub(super) fn prepare(composition: &Composition, image: &str, is_built: bool) -> Result<(), Error> {
    if is_built {
        note(format_args!("building {image}"));
        composition.build()
    } else {
        note(format_args!("image {image} as it is"));
        Ok(())
    }
}

/// Name and bytes of each.
pub(super) fn sizes(engine: &Engine, composition: &Composition) -> Vec<(String, u64)> {
    let services = composition.file.services.values();
    let mut images: Vec<String> = services.map(|service| service.image.clone()).collect();
    images.sort();
    images.dedup();
    let sized = |image: String| Some((image.clone(), engine.image_size(&image)?));
    images.into_iter().filter_map(sized).collect()
}

/// Holds the server's image to what was promised.
///
/// # Errors
/// It is too large, or its size is not known.
pub(super) fn check_size(sizes: &[(String, u64)], image: &str) -> Result<(), Error> {
    match sizes.iter().find(|(name, _)| name == image) {
        Some((_, bytes)) if *bytes < SIZE_MAX => Ok(()),
        Some((_, bytes)) => Err(Error::new(format!(
            "image {image} has {bytes} bytes: it must have less than {SIZE_MAX}"
        ))),
        None => Err(Error::new(format!(
            "the size of image {image} is not known"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_images_are_found_by_name() {
        let compose = "  a:\n    image: nginx:1\n  b:\n    image: ${SERVER:-crebito:1}\n";
        let dockerfile = "# FROM nothing\nFROM rust:1 AS build\nFROM scratch\n";
        let found: Vec<&str> = named(compose, dockerfile).into_iter().collect();
        assert_eq!(found, ["nginx:1", "rust:1"]);
    }

    #[test]
    fn an_image_is_below_five_megabytes() {
        let check = |bytes: u64, image: &str, is_fine: bool| {
            let sizes = [
                ("nginx:1".to_owned(), 133_000_000),
                ("a:1".to_owned(), bytes),
            ];
            assert_eq!(
                check_size(&sizes, image).is_ok(),
                is_fine,
                "{image} {bytes}"
            );
        };
        check(4_999_999, "a:1", true);
        check(5_000_000, "a:1", false);
        check(1, "nginx:1", false);
        check(1, "b:1", false);
    }
}
