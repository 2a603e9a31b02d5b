//! What the contest's composition has for itself.

use crate::composition::{CONTEST, file, services};

#[test]
fn its_variables_and_their_defaults_are_those_of_the_env_file() {
    let text = file(CONTEST);
    let env = file(".env");
    let settings = env.lines().filter_map(|line| line.split_once('='));
    let settings = settings.filter(|(name, _)| !name.starts_with('#'));
    let (mut names, mut expected) = (Vec::new(), Vec::new());
    for (name, default) in settings {
        expected.push(name);
        assert!(
            text.contains(&format!("${{{name}:-{default}}}")),
            "{name}: two defaults"
        );
    }
    for rest in text.split("${").skip(1) {
        names.extend(rest.split(":-").next());
    }
    expected.sort_unstable();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, expected);
    assert!(names.contains(&"POSTGRES_PASSWORD") && names.contains(&"CREBITO_IMAGE"));
}

#[test]
fn the_image_is_built_once() {
    let services = services(CONTEST);
    let built = services
        .iter()
        .filter(|(_, service)| service.contains_key("build"));
    let built: Vec<&str> = built.map(|(name, _)| name.as_str()).collect();
    assert_eq!(built, ["api1"], "two builds of one name meet");
    // Nor is what is about to be built asked for elsewhere.
    let image = |name: &str| services[name]["image"].as_str().unwrap().to_owned();
    assert_eq!(image("api1"), image("api2"));
    assert_eq!(services["api2"]["pull_policy"].as_str(), Some("never"));
    assert!(!services["api1"].contains_key("pull_policy"));
}
