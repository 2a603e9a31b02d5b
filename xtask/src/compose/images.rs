//! The images that a composition is made of.

use super::composition::Composition;
use super::engine::Engine;
use super::note;
use crate::error::Error;

/// The server's own is smaller than that, in bytes.
const SIZE_MAX: u64 = 5_000_000;

/// The images, so that a start is a start and nothing else.
pub(super) fn prepare(composition: &Composition, image: &str, is_built: bool) -> Result<(), Error> {
    if is_built {
        note(format_args!("building {image}"));
        composition.build()?;
    } else {
        note(format_args!("image {image} as it is"));
    }
    composition.fetch_missing()
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
