//! What production has that the contest has not, and what it shares with it.

use yaml_rust2::{Yaml, YamlLoader};

use crate::composition::{
    CONTEST, PROD, Service, all_services, composition, environment, file, limits, merged, services,
    strings,
};

/// What may differ between a contest's service and production's.
const OWN: [&str; 11] = [
    "image",
    "build",
    "command",
    "environment",
    "healthcheck",
    "pull_policy",
    "restart",
    "secrets",
    "security_opt",
    "volumes",
    "deploy",
];

#[test]
fn all_else_is_as_in_the_contest() {
    let (contest, prod) = (services(CONTEST), services(PROD));
    assert_eq!(
        contest.keys().collect::<Vec<_>>(),
        prod.keys().collect::<Vec<_>>()
    );
    let rest = |service: &Service| {
        let mut rest = service.clone();
        rest.retain(|key, _| !OWN.contains(&key.as_str()));
        rest
    };
    for (name, service) in &contest {
        assert_eq!(rest(service), rest(&prod[name]), "{name}");
        assert_eq!(limits(service), limits(&prod[name]), "{name}");
        if !name.starts_with("api") {
            assert_eq!(service["image"], prod[name]["image"], "{name}");
        }
        if name != "db" {
            assert_eq!(service["healthcheck"], prod[name]["healthcheck"], "{name}");
        }
        for setting in ["LISTEN", "IO_DRIVER", "SCHED_POLICY", "PGDATA"] {
            let value = environment(service, setting);
            assert_eq!(
                value,
                environment(&prod[name], setting),
                "{name}: {setting}"
            );
        }
    }
    for shared in ["networks", "volumes"] {
        assert_eq!(composition(CONTEST)[shared], composition(PROD)[shared]);
    }
}

/// docker-compose 1.29 sorts these lists of all services where there are two files; what differs
/// then is recreated, and TLS is NGINX's affair alone.
#[test]
fn one_more_file_changes_nginx_alone() {
    let mut services = all_services(PROD);
    services.remove("nginx");
    for (name, service) in services {
        for list in ["secrets", "cap_add", "cap_drop", "security_opt", "ports"] {
            let items = strings(service.get(list));
            assert!(items.is_sorted(), "{name}: {list} {items:?}");
        }
        let target = |volume: &String| volume.split(':').nth(1).unwrap().to_owned();
        let volumes = strings(service.get("volumes"));
        let targets: Vec<String> = volumes.iter().map(target).collect();
        assert!(targets.is_sorted(), "{name}: {targets:?}");
    }
}

#[test]
fn it_restarts_and_builds_nothing() {
    for (name, service) in all_services(PROD) {
        let restart = if name == "k6" { "no" } else { "unless-stopped" };
        assert_eq!(service["restart"].as_str(), Some(restart), "{name}");
        assert!(!service.contains_key("build"), "{name}");
    }
}

#[test]
fn the_replicas_image_is_one_variable_without_a_default() {
    for name in ["api1", "api2"] {
        let image = services(PROD)[name]["image"].as_str().unwrap().to_owned();
        assert!(image.starts_with("${CREBITO_IMAGE:?"), "{image}");
    }
    let example = file("prod/.env.example");
    let version = env!("CARGO_PKG_VERSION");
    let line = format!("CREBITO_IMAGE=ghcr.io/OWNER/crebito:{version}");
    assert!(example.lines().any(|found| found == line), "{line}");
    let text = file(PROD) + &file("prod/docker-compose.tls.yml");
    for rest in text.split("${").skip(1) {
        let (name, rest) = rest.split_once(':').unwrap();
        let value = example
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let value = value.unwrap_or_else(|| panic!("prod/.env.example lacks {name}"));
        if let Some(default) = rest.strip_prefix('-') {
            assert!(default.starts_with(&format!("{value}}}")), "{name}: {rest}");
        }
    }
}

#[test]
fn passwords_are_files() {
    let services = services(PROD);
    let replica = ["crebito_password"];
    let database = ["crebito_password", "postgres_password"];
    for (name, variable, own, secrets) in [
        ("api1", "PGPASSWORD_FILE", replica[0], &replica[..]),
        ("api2", "PGPASSWORD_FILE", replica[0], &replica),
        ("db", "POSTGRES_PASSWORD_FILE", database[1], &database),
    ] {
        let service = &services[name];
        assert_eq!(strings(service.get("secrets")), secrets, "{name}");
        let path = format!("/run/secrets/{own}");
        assert_eq!(environment(service, variable), Some(path), "{name}");
        for open in ["PGPASSWORD", "POSTGRES_PASSWORD"] {
            assert_eq!(environment(service, open), None, "{name}: {open}");
        }
    }
    assert!(!services["nginx"].contains_key("secrets"));
    for (name, secret) in merged(&composition(PROD)["secrets"]) {
        let path = format!("./secrets/{name}.txt");
        assert_eq!(secret["file"].as_str(), Some(path.as_str()));
    }
    // Git takes nothing of that folder, nor prod/.env.
    assert_eq!(file("prod/secrets/.gitignore"), "*\n!.gitignore\n");
    assert!(file(".gitignore").lines().any(|line| line == "/prod/.env"));
}

#[test]
fn nginx_includes_what_production_mounts_and_the_contest_does_not() {
    let conf = file("nginx.conf");
    let included: Vec<&str> = conf
        .lines()
        .filter_map(|line| line.trim().strip_prefix("include prod/"))
        .filter_map(|line| line.split('*').next())
        .collect();
    assert_eq!(included, ["upstream", "http", "server"]);
    let tls = YamlLoader::load_from_str(&file("prod/docker-compose.tls.yml")).unwrap();
    let tls = merged(&tls[0]["services"]["nginx"]);
    let mounts = |service: &Service| {
        let mut volumes = strings(service.get("volumes"));
        volumes.retain(|volume| volume.contains("/etc/nginx/prod/"));
        volumes
    };
    let nginx = &services(PROD)["nginx"];
    for volume in mounts(nginx).iter().chain(&mounts(&tls)) {
        let parts: Vec<&str> = volume.split(':').collect();
        let [host, inside, "ro"] = parts[..] else {
            panic!("{volume}")
        };
        let name = host.strip_prefix("./nginx/").unwrap();
        assert_eq!(inside, format!("/etc/nginx/prod/{name}"));
        assert!(included.iter().any(|stem| name.starts_with(stem)), "{name}");
        assert!(!file(&format!("prod/nginx/{name}")).is_empty());
    }
    assert_eq!((mounts(nginx).len(), mounts(&tls).len()), (3, 1));
    assert_eq!(mounts(&services(CONTEST)["nginx"]), [""; 0]);
    // More than one worker process, and none named in the file, where it would be a duplicate.
    let command = strings(nginx.get("command")).join(" ");
    assert!(command.contains("worker_processes 2;"), "{command}");
    assert!(
        !conf
            .lines()
            .any(|line| line.trim().starts_with("worker_processes"))
    );
}

#[test]
fn k6_is_a_profile_outside_of_the_limits() {
    let all = all_services(PROD);
    let others: Vec<&String> = all
        .iter()
        .filter(|(_, service)| service.contains_key("profiles"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(others, ["k6"]);
    let k6 = &all["k6"];
    assert_eq!(strings(k6.get("profiles")), ["k6"]);
    assert_eq!(environment(k6, "MODE").as_deref(), Some("prod"));
    let url = environment(k6, "BASE_URL");
    assert_eq!(url.as_deref(), Some("http://nginx:9999"));
    let volumes = strings(k6.get("volumes"));
    assert_eq!(volumes, ["../perf/k6:/perf:ro", "./reports:/reports"]);
    assert!(k6.get("deploy").is_none() && k6.get("ports").is_none());
    assert_eq!(k6.get("read_only").and_then(Yaml::as_bool), Some(true));
}

#[test]
fn the_bank_is_made_by_files_that_are_mounted() {
    let db = &services(PROD)["db"];
    let volumes = strings(db.get("volumes"));
    for volume in [
        "./postgres/bank.sh:/docker-entrypoint-initdb.d/bank.sh:ro",
        "./postgres:/bank:ro",
        "../sql:/sql:ro",
    ] {
        assert!(volumes.iter().any(|found| found == volume), "{volume}");
    }
    let script = file("prod/postgres/bank.sh");
    assert!(script.contains("for file in /sql/*.sql /bank/grants.sql;"));
    // The role may do no more than this.
    let grants = file("prod/postgres/grants.sql");
    let grants: Vec<&str> = grants
        .lines()
        .filter(|line| line.starts_with("GRANT"))
        .collect();
    assert_eq!(
        grants,
        [
            r#"GRANT CONNECT ON DATABASE :"database" TO crebito;"#,
            "GRANT USAGE ON SCHEMA banco TO crebito;",
            "GRANT SELECT, UPDATE (saldo, n, lotes) ON banco.clientes TO crebito;",
            "GRANT SELECT, INSERT ON banco.lotes TO crebito;",
            "GRANT USAGE ON SEQUENCE banco.lotes_id TO crebito;",
            "GRANT SELECT ON banco.transacoes TO crebito;",
        ]
    );
}

#[test]
fn the_unit_allows_the_calls_of_the_seccomp_profile_and_clone3() {
    let unit = file("prod/systemd/crebito@.service");
    let lines = unit
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="));
    let mut found: Vec<String> = lines
        .flat_map(|line| line.split(' ').map(str::to_owned))
        .collect();
    let profile = YamlLoader::load_from_str(&file("seccomp.json")).unwrap();
    let rules = profile[0]["syscalls"].as_vec().unwrap();
    let mut expected: Vec<String> = rules
        .iter()
        .flat_map(|rule| strings(Some(&rule["names"])))
        .collect();
    found.sort();
    expected.sort();
    expected.dedup();
    assert_eq!(found, expected);
}
