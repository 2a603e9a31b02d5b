//! docker-compose.observability.yml: what is put over the contest's composition to see it.

use std::path::Path;
use std::process::Command;

use yaml_rust2::YamlLoader;

use crate::composition::{
    CONTEST, PROD, all_services, composition, environment, file, services, strings,
};

const OBSERVABILITY: &str = "docker-compose.observability.yml";

#[test]
fn the_contest_s_services_stay_within_their_limits_and_gain_little() {
    let contest = services(CONTEST);
    for (name, service) in all_services(OBSERVABILITY) {
        assert!(
            !service.contains_key("deploy"),
            "{name}: limits are the contest's"
        );
        let mut keys: Vec<&str> = service.keys().map(String::as_str).collect();
        if contest.contains_key(&name) {
            keys.retain(|key| !["environment", "networks", "volumes"].contains(key));
            assert!(keys.is_empty(), "{name}: {keys:?}");
        } else {
            let security = strings(service.get("security_opt"));
            assert_eq!(security, ["no-new-privileges:true"], "{name}");
            assert!(!service.contains_key("privileged"), "{name}");
            assert_eq!(service["logging"], contest["nginx"]["logging"], "{name}");
        }
    }
    let mut top: Vec<String> = composition(OBSERVABILITY).into_keys().collect();
    top.retain(|key| !key.starts_with("x-"));
    top.sort();
    assert_eq!(top, ["networks", "services", "volumes"]);
}

#[test]
fn versions_are_pinned_and_nothing_is_published_to_others() {
    let (contest, prod) = (services(CONTEST), all_services(PROD));
    let overlay = all_services(OBSERVABILITY);
    for (name, service) in &overlay {
        if let Some(image) = service.get("image").and_then(|image| image.as_str()) {
            let (_, tag) = image.trim_end_matches('}').rsplit_once(':').unwrap();
            assert!(
                tag.starts_with(|sign: char| sign.is_ascii_digit() || sign == 'v'),
                "{image}"
            );
        }
        for port in strings(service.get("ports")) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
    assert_eq!(overlay["monitor-role"]["image"], contest["db"]["image"]);
    assert_eq!(overlay["k6"]["image"], prod["k6"]["image"]);
    for rest in file(OBSERVABILITY).split("${").skip(1) {
        let (name, default) = rest.split_once(":-").expect("a variable with a default");
        // Each script has times of its own.
        let is_a_script_s = ["RAMP", "HOLD"].contains(&name);
        assert_eq!(default.starts_with('}'), is_a_script_s, "{rest}");
    }
}

#[test]
fn prometheus_looks_where_they_listen() {
    let overlay = all_services(OBSERVABILITY);
    let targets = |name: &str| -> Vec<(String, String)> {
        let text = file(&format!("observability/targets/{name}.yml"));
        let groups = YamlLoader::load_from_str(&text).unwrap().remove(0);
        let groups = groups.as_vec().unwrap().iter();
        groups
            .map(|group| {
                let target = strings(Some(&group["targets"])).remove(0);
                let (host, port) = target.split_once(':').unwrap();
                (host.to_owned(), port.to_owned())
            })
            .collect()
    };
    let replicas: Vec<String> = services(CONTEST)
        .into_keys()
        .filter(|name| name.starts_with("api"))
        .collect();
    let (hosts, ports): (Vec<String>, Vec<String>) = targets("crebito").into_iter().unzip();
    assert_eq!(hosts, replicas);
    for (host, port) in hosts.iter().zip(ports) {
        let listen = environment(&overlay[host], "ADMIN_LISTEN");
        assert_eq!(listen, Some(format!("0.0.0.0:{port}")), "{host}");
    }
    // Exporters at their own ports.
    for (name, port) in [("postgresql", "9187"), ("nginx", "9113")] {
        let [(host, found)] = &targets(name)[..] else {
            panic!("{name}: one")
        };
        assert!(
            overlay.contains_key(host) && found == port,
            "{host}:{found}"
        );
    }
    for (name, service) in &overlay {
        let networks = strings(service.get("networks"));
        let alone = service.get("network_mode").and_then(|mode| mode.as_str()) == Some("none");
        assert!(
            alone || networks == ["observability"],
            "{name}: {networks:?}"
        );
    }
}

#[test]
fn what_is_mounted_is_there_and_nginx_includes_its_status() {
    let overlay = all_services(OBSERVABILITY);
    for (name, service) in &overlay {
        for volume in strings(service.get("volumes")) {
            let host = volume.split(':').next().unwrap();
            let is_there = Path::new(env!("CARGO_MANIFEST_DIR")).join(host).exists();
            assert!(!host.starts_with('.') || is_there, "{name}: {volume}");
        }
    }
    let mounted = strings(overlay["nginx"].get("volumes"));
    let status = "./observability/nginx/stub_status.conf:/etc/nginx/prod/http-status.conf:ro";
    assert_eq!(mounted, [status]);
    assert!(file("nginx.conf").contains("include prod/http*.conf;"));
    let command = strings(overlay["nginx-exporter"].get("command")).join(" ");
    let conf = file("observability/nginx/stub_status.conf");
    assert!(
        command.ends_with("=http://nginx:9145/stub_status"),
        "{command}"
    );
    assert!(conf.contains("listen 9145;") && conf.contains("location = /stub_status {"));
}

/// Both ways of calling it, as far as they are here; a machine without either has no containers to
/// watch, and what is above holds all the same.
#[test]
fn compose_takes_both_files_together() {
    for words in [&["docker-compose"][..], &["docker", "compose"]] {
        let compose = |more: &[&str]| {
            let mut command = Command::new(words[0]);
            command.args(&words[1..]).args(more);
            command.current_dir(env!("CARGO_MANIFEST_DIR")).output()
        };
        let is_here = compose(&["version"]).is_ok_and(|output| output.status.success());
        if !is_here {
            eprintln!("skipped: there is no `{}` here", words.join(" "));
            continue;
        }
        let output = compose(&["-f", CONTEST, "-f", OBSERVABILITY, "config", "-q"]).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.trim().is_empty(),
            "{words:?}: {said}"
        );
    }
}
