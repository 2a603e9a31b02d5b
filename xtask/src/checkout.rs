//! Which checkout is worked on: asked at run time, since clones may share one target folder.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The checkout that cargo was started in (`CARGO_MANIFEST_DIR`, which `cargo run` and `cargo
/// test` set to a package of it), else the one around the current folder.
///
/// # Errors
/// Neither is in a checkout of crebito.
pub fn checkout() -> Result<PathBuf, Error> {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let starts = package.into_iter().chain(env::current_dir());
    starts
        .flat_map(|start| above(&start))
        .next()
        .ok_or_else(|| {
            Error::new(
                "this is no checkout of crebito: no folder from here up has nginx.conf and sql/",
            )
        })
}

/// The nearest folder from `start` up that is a checkout.
fn above(start: &Path) -> Option<PathBuf> {
    let is_checkout = |folder: &&Path| {
        folder.join("Cargo.toml").is_file()
            && folder.join("nginx.conf").is_file()
            && folder.join("sql").is_dir()
    };
    start.ancestors().find(is_checkout).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_nearest_checkout_above_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let clone = folder.path().join("clone");
        let package = clone.join("xtask");
        fs::create_dir_all(clone.join("sql")).unwrap();
        fs::create_dir_all(package.join("src")).unwrap();
        fs::write(package.join("Cargo.toml"), "").unwrap();
        fs::write(clone.join("nginx.conf"), "").unwrap();
        assert_eq!(above(&package), None, "it has no Cargo.toml");
        fs::write(clone.join("Cargo.toml"), "").unwrap();
        for start in [&clone, &package, &package.join("src")] {
            assert_eq!(above(start).as_ref(), Some(&clone), "from {start:?}");
        }
        assert_eq!(above(folder.path()), None);
    }

    #[test]
    fn a_test_works_on_its_own_checkout() {
        assert_eq!(
            checkout().unwrap().join("xtask"),
            Path::new(env!("CARGO_MANIFEST_DIR"))
        );
    }
}
