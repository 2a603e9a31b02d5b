//! What holds of either composition.

use std::collections::BTreeMap;

use crebito::limits;
use xtask::compose::check_sum;

use crate::composition::{
    CONTEST, PROD, composition, environment, file, limits as limits_of, merged, services, settings,
    strings,
};

const BOTH: [&str; 2] = [CONTEST, PROD];

#[test]
fn the_limits_are_the_contests() {
    for file in BOTH {
        let services = services(file);
        let limits = services
            .iter()
            .map(|(name, service)| (name.clone(), limits_of(service)));
        let limits: BTreeMap<_, _> = limits.collect();
        assert_eq!(limits.len(), 4, "{file}");
        check_sum(&limits).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

#[test]
fn old_and_new_compose_both_take_it() {
    for (file, expected) in [
        (CONTEST, &["networks", "services", "volumes"][..]),
        (PROD, &["networks", "secrets", "services", "volumes"]),
    ] {
        let mut top: Vec<String> = composition(file).into_keys().collect();
        top.retain(|key| !key.starts_with("x-"));
        assert_eq!(top, expected, "{file}: no version, no name");
    }
}

#[test]
fn only_nginx_is_published_and_nobody_is_privileged() {
    for (file, seccomp) in [
        (CONTEST, "seccomp:./seccomp.json"),
        (PROD, "seccomp:../seccomp.json"),
    ] {
        for (name, service) in services(file) {
            let context = format!("{file}: {name}");
            let published = strings(service.get("ports"));
            let port: &[&str] = &["${CREBITO_PORT:-9999}:9999"];
            let expected = if name == "nginx" { port } else { &[] };
            assert_eq!(published, expected, "{context}");
            assert!(!service.contains_key("privileged") && !service.contains_key("network_mode"));
            assert_eq!(strings(service.get("cap_drop")), ["ALL"], "{context}");
            let mut security = vec!["no-new-privileges:true"];
            security.extend(name.starts_with("api").then_some(seccomp));
            assert_eq!(strings(service.get("security_opt")), security, "{context}");
            assert_eq!(service["read_only"].as_bool(), Some(true), "{context}");
            assert!(service.contains_key("healthcheck"), "{context}");
            let image = service["image"].as_str().unwrap();
            assert!(
                image.contains(':')
                    && (image.contains("CREBITO_IMAGE") || !image.ends_with(":latest")),
                "{context}: {image}"
            );
        }
    }
}

#[test]
fn each_waits_for_the_one_behind_it() {
    for file in BOTH {
        let services = services(file);
        for (name, behind) in [
            ("nginx", &["api1", "api2"][..]),
            ("api1", &["db"]),
            ("api2", &["db"]),
        ] {
            let waits = merged(&services[name]["depends_on"]);
            assert_eq!(waits.keys().collect::<Vec<_>>(), behind, "{file}: {name}");
            for (other, how) in waits {
                let condition = how["condition"].as_str();
                assert_eq!(
                    condition,
                    Some("service_healthy"),
                    "{file}: {name}: {other}"
                );
            }
        }
    }
}

/// Where nginx.conf, or the like, expects the replicas.
pub fn servers(conf: &str) -> Vec<String> {
    file(conf)
        .lines()
        .filter_map(|line| line.trim().strip_prefix("server unix:"))
        .filter_map(|rest| rest.split(' ').next())
        .map(|path| format!("unix:{path}"))
        .collect()
}

#[test]
fn nginx_and_the_replicas_meet_at_the_same_sockets() {
    let servers = servers("nginx.conf");
    for (file, conf, sql) in [
        (CONTEST, "./nginx.conf", "./sql:/docker-entrypoint-initdb.d"),
        (PROD, "../nginx.conf", "../sql:/sql"),
    ] {
        let services = services(file);
        let replicas = services.iter().filter(|(name, _)| name.starts_with("api"));
        let mut listens: Vec<String> = replicas
            .filter_map(|(_, service)| environment(service, "LISTEN"))
            .collect();
        listens.sort();
        assert_eq!(listens, servers, "{file}");
        let mounted = |name: &str, at: &str| {
            let volumes = strings(services[name].get("volumes"));
            let found = volumes.iter().any(|volume| volume == at);
            assert!(found, "{file}: {name}: {at} is not in {volumes:?}");
        };
        for name in ["nginx", "api1", "api2"] {
            mounted(name, "api-sockets:/run/crebito");
        }
        for name in ["db", "api1", "api2"] {
            mounted(name, "db-socket:/var/run/postgresql");
        }
        mounted("nginx", &format!("{conf}:/etc/nginx/nginx.conf:ro"));
        mounted("db", &format!("{sql}:ro"));
    }
}

/// What production has beyond `cargo xtask`'s settings, or has otherwise.
const PROD_SETTINGS: [&str; 6] = [
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "wal_level=replica",
    "max_wal_senders=4",
    "log_lock_waits=on",
];

#[test]
fn postgres_is_set_as_xtask_sets_it() {
    for (file, own) in [(CONTEST, &[][..]), (PROD, &PROD_SETTINGS)] {
        let db = &services(file)["db"];
        let mut found = settings(db);
        let name_of = |setting: &str| setting.split('=').next().map(str::to_owned);
        let own_names: Vec<_> = own.iter().map(|setting| name_of(setting)).collect();
        let mut expected: Vec<String> = xtask::stack::SETTINGS
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .filter(|setting| !own_names.contains(&name_of(setting)))
            .collect();
        expected.extend(own.iter().map(|&setting| setting.to_owned()));
        // The socket alone.
        expected.push("listen_addresses=".to_owned());
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{file}");
        let data = environment(db, "PGDATA").unwrap();
        assert!(
            data.starts_with("/var/lib/postgresql/"),
            "{file}: {data} is not in the volume"
        );
    }
}

/// Behind NGINX, that is: nobody else reaches the replicas' sockets, which are in a volume.
#[test]
fn a_thousand_users_fit_one_replica_and_its_memory_when_each_is_at_its_worst() {
    for file in BOTH {
        for (name, service) in services(file) {
            if !name.starts_with("api") {
                continue;
            }
            let connections = environment(&service, "MAX_CONNECTIONS").unwrap();
            let connections: usize = connections.parse().unwrap();
            assert!(connections > 1_000, "{file}: {name}: {connections}");
            let listen = environment(&service, "LISTEN").unwrap();
            assert!(listen.starts_with("unix:"), "{file}: {name}: {listen}");
            let each = limits::PROXIED_CONNECTION_BYTES_MAX;
            let worst = connections * each + limits::QUEUE_MAX * 200;
            // What is left is the program's own: 3 MB were measured, the rest is the session's.
            let memory = usize::try_from(limits_of(&service).memory_bytes).unwrap();
            assert!(
                worst + 6_000_000 < memory,
                "{file}: {name}: {worst} of {memory}"
            );
        }
    }
}
