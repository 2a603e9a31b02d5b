//! seccomp.json and Dockerfile: what a replica's container may do, and what is in it.

use std::collections::BTreeMap;

use yaml_rust2::{Yaml, YamlLoader};

use crate::composition::{file, strings};

/// The names that a rule allows, with whether it asks for arguments.
fn allowed(profile: &Yaml) -> BTreeMap<String, bool> {
    let mut all = BTreeMap::new();
    for rule in profile["syscalls"].as_vec().unwrap() {
        let action = rule["action"].as_str().unwrap();
        let names = strings(Some(&rule["names"]));
        assert!(!names.is_empty() && rule["comment"].as_str().is_some());
        if action == "SCMP_ACT_ALLOW" {
            let narrowed = rule["args"].as_vec().is_some();
            all.extend(names.into_iter().map(|name| (name, narrowed)));
        } else {
            assert_eq!((action, names), ("SCMP_ACT_ERRNO", vec!["clone3".into()]));
        }
    }
    all
}

#[test]
fn the_seccomp_profile_allows_what_is_named_and_nothing_else() {
    let text = file("seccomp.json");
    // As an engine reads it, then as the rest of this file reads.
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let profile = &YamlLoader::load_from_str(&text).unwrap()[0];
    assert_eq!(profile["defaultAction"].as_str(), Some("SCMP_ACT_ERRNO"));
    let machines: Vec<_> = profile["archMap"].as_vec().unwrap().iter().collect();
    let machines: Vec<_> = machines
        .iter()
        .map(|machine| machine["architecture"].as_str().unwrap())
        .collect();
    assert_eq!(machines, ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"]);
    let allowed = allowed(profile);
    for (name, narrowed) in [
        ("io_uring_setup", false),
        ("io_uring_enter", false),
        ("io_uring_register", false),
        ("epoll_create1", false),
        ("execve", false),
        ("clone", true),
        ("socket", true),
        ("ioctl", true),
    ] {
        assert_eq!(allowed.get(name), Some(&narrowed), "{name}");
    }
    // A few of those that Docker's own profile allows, at least to some.
    for name in [
        "ptrace", "mount", "unshare", "setns", "bpf", "keyctl", "kill", "mknod", "fork",
    ] {
        assert!(!allowed.contains_key(name), "{name}");
    }
}

#[test]
fn the_image_is_empty_but_for_the_server() {
    let dockerfile = file("Dockerfile");
    let last = dockerfile.rsplit_once("\nFROM ").unwrap().1;
    assert!(last.starts_with("scratch\n"), "{last}");
    for line in [
        "USER 65532:65532",
        "STOPSIGNAL SIGTERM",
        "ENTRYPOINT [\"/crebito\"]",
    ] {
        assert!(last.lines().any(|found| found == line), "{line} is missing");
    }
    assert_eq!(last.matches("COPY").count(), 1);
    let flags = format!("ENV RUSTFLAGS=\"{}\"", xtask::build::STATIC.join(" "));
    assert!(dockerfile.lines().any(|line| line == flags), "{flags}");
    let ignored = file(".dockerignore");
    assert!(
        ignored.lines().any(|line| line == "*"),
        "only what is named enters the build"
    );
}

/// cargo refuses a package that lacks what its Cargo.toml names.
#[test]
fn the_layer_of_the_dependencies_has_every_bench_that_is_named() {
    let (dockerfile, manifest) = (file("Dockerfile"), file("Cargo.toml"));
    let named = manifest.split("[[bench]]").skip(1).map(|rest| {
        let line = rest.lines().find_map(|line| line.strip_prefix("name = "));
        line.unwrap().trim_matches('"')
    });
    let mut count = 0;
    for name in named {
        let path = format!("benches/{name}.rs");
        assert!(dockerfile.contains(&path), "{path}");
        count += 1;
    }
    assert!(count > 0, "the file is read otherwise");
}
