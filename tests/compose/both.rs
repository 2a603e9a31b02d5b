//! What holds of either composition.

use std::collections::BTreeMap;

use crebito::limits;
use xtask::compose::check_sum;
use xtask::stack::Postgres;

use crate::composition::{
    CONTEST, PROD, STREAM, all_services, composition, environment, file, limits as limits_of,
    merged, postgres_conf, services, settings, strings,
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
fn logs_are_rotated() {
    for file in BOTH {
        for (name, service) in all_services(file) {
            let logging = &service["logging"];
            assert_eq!(
                logging["driver"].as_str(),
                Some("json-file"),
                "{file}: {name}"
            );
            for bound in ["max-size", "max-file"] {
                let bound = logging["options"][bound].as_str();
                assert!(bound.is_some(), "{file}: {name}: {logging:?}");
            }
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

/// What production has beyond postgresql.conf, or has otherwise.
const PROD_SETTINGS: [&str; 6] = [
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "wal_level=replica",
    "max_wal_senders=4",
    "log_lock_waits=on",
];
/// Of those, what the file has, too.
const PROD_CHANGES: [&str; 2] = ["wal_level", "max_wal_senders"];

#[test]
fn postgres_is_set_by_its_file_and_no_value_stands_twice() {
    let in_file: Vec<String> = postgres_conf().into_iter().map(|(name, _)| name).collect();
    for (file, host, own, changes) in [
        (CONTEST, "./postgresql.conf", &[][..], &[][..]),
        (PROD, "../postgresql.conf", &PROD_SETTINGS, &PROD_CHANGES),
    ] {
        let db = &services(file)["db"];
        let inside = "/etc/crebito/postgresql.conf";
        let mount = format!("{host}:{inside}:ro");
        assert!(strings(db.get("volumes")).contains(&mount), "{file}");
        // The socket alone.
        let mut expected = vec![
            format!("config_file={inside}"),
            "listen_addresses=".to_owned(),
        ];
        expected.extend(own.iter().map(|&setting| setting.to_owned()));
        let found = settings(db);
        assert_eq!(found, expected, "{file}");
        assert_eq!(
            strings(db.get("command")).len(),
            1 + found.len(),
            "{file}: postgres, and what is read here"
        );
        let names = found.iter().filter_map(|setting| setting.split('=').next());
        let twice: Vec<&str> = names
            .filter(|name| in_file.iter().any(|other| other == name))
            .collect();
        assert_eq!(twice, changes, "{file}");
        let data = environment(db, "PGDATA").unwrap();
        assert!(
            data.starts_with("/var/lib/postgresql/"),
            "{file}: {data} is not in the volume"
        );
    }
}

/// The server of `cargo xtask` takes each line, and what it is told beyond them wins.
#[test]
fn postgres_takes_every_line_of_its_file() {
    let in_file = postgres_conf();
    assert!(in_file.iter().any(|(name, _)| name == "shared_buffers"));
    let postgres = Postgres::private(&[("checkpoint_timeout", "17min")], &[]).unwrap();
    let applied = "SELECT name || '=' || setting FROM pg_file_settings
        WHERE error IS NULL AND applied ORDER BY seqno";
    let applied = postgres.psql(applied).unwrap();
    let expected: Vec<String> = in_file
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(applied.lines().collect::<Vec<_>>(), expected);
    let told = postgres.psql("SHOW checkpoint_timeout").unwrap();
    assert_eq!(told, "17min");
    for durable in ["fsync", "full_page_writes", "synchronous_commit"] {
        let value = postgres.psql(&format!("SHOW {durable}")).unwrap();
        assert_eq!(value, "on", "{durable}");
    }
}

/// What the memory that all share leaves is for three workers of autovacuum and one vacuum by hand,
/// for sessions of up to 10 MB, both replicas' (4 MB of their own, at 1,024 connections) and a
/// dump's, and for the six other processes of half of one: with a million clientes all of it is
/// taken, and beyond the limit the kernel kills one.
#[test]
fn the_databases_memory_holds_its_buffers_and_the_rest() {
    const MB: u64 = 1_048_576;
    let in_file = postgres_conf().into_iter();
    let in_file: Vec<String> = in_file
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    for name in [CONTEST, PROD, STREAM] {
        let db = &services(name)["db"];
        let told: Vec<String> = settings(db).into_iter().chain(in_file.clone()).collect();
        let value = |name: &str| told.iter().find_map(|it| it.strip_prefix(name)).unwrap();
        let bytes = |value: &str| value.strip_suffix("MB").unwrap().parse::<u64>().unwrap() * MB;
        let buffers = value("shared_buffers=");
        let postgres = Postgres::private(&[("shared_buffers", buffers)], &[]).unwrap();
        let shared = "SELECT sum(allocated_size) FROM pg_shmem_allocations";
        let shared: u64 = postgres.psql(shared).unwrap().parse().unwrap();
        assert!(shared > bytes(buffers), "{name}: {shared}");
        let used = shared + 4 * bytes(value("maintenance_work_mem=")) + 3 * 10 * MB + 8 * MB;
        let memory = limits_of(db).memory_bytes;
        assert!(used <= memory, "{name}: {used} of {memory} bytes");
    }
}

/// The number of nginx.conf that follows `name`, the same wherever it stands.
fn number(name: &str) -> usize {
    let conf = file("nginx.conf");
    let mut found: Vec<usize> = conf
        .lines()
        .filter(|line| !line.trim().starts_with('#'))
        .filter_map(|line| line.split_once(name))
        .map(|(_, rest)| rest.split([' ', ';']).next().unwrap().parse().unwrap())
        .collect();
    found.dedup();
    let [number] = found[..] else {
        unreachable!("{name}: {found:?}")
    };
    number
}

/// What a replica refuses may count as its failure with NGINX, three of which leave it alone.
#[test]
fn nginx_opens_no_more_connections_than_a_replica_takes() {
    // `health`, and whoever looks by hand. (What NGINX has closed counts no more: a replica sees
    // that before it accepts the next.)
    const OTHERS: usize = 8;
    let requests = number(" max_conns=");
    let servers = file("nginx.conf").matches("server unix:").count();
    assert_eq!(file("nginx.conf").matches(" max_conns=").count(), servers);
    let idle = number("keepalive ");
    // Its worker processes count a replica's requests together.
    assert!(file("prod/nginx/upstream.conf").contains("\nzone crebito "));
    for (file, processes) in [(CONTEST, 1), (PROD, 2)] {
        let services = services(file);
        let command = strings(services["nginx"].get("command")).join(" ");
        let found = command.split_once("worker_processes ");
        let found = found.map_or("1", |(_, rest)| rest.split(';').next().unwrap());
        assert_eq!(found, processes.to_string(), "{file}: {command}");
        // An idle connection is taken before another is opened, but not the other process'.
        let most = requests + (processes - 1) * idle + OTHERS;
        for name in ["api1", "api2"] {
            let taken: usize = environment(&services[name], "MAX_CONNECTIONS")
                .and_then(|number| number.parse().ok())
                .unwrap();
            assert!(most <= taken, "{file}: {name}: {most} and {taken}");
        }
    }
}

/// Behind NGINX, that is: nobody else reaches the replicas' sockets, which are in a volume.
#[test]
fn a_thousand_users_fit_one_replica_and_its_memory_when_each_is_at_its_worst() {
    let requests = number(" max_conns=");
    assert!(requests > 1_000);
    for file in BOTH {
        for (name, service) in services(file) {
            if !name.starts_with("api") {
                continue;
            }
            let connections = environment(&service, "MAX_CONNECTIONS").unwrap();
            let connections: usize = connections.parse().unwrap();
            let idle = connections.checked_sub(requests).unwrap();
            let listen = environment(&service, "LISTEN").unwrap();
            assert!(listen.starts_with("unix:"), "{file}: {name}: {listen}");
            let worst = requests * limits::PROXIED_CONNECTION_BYTES_MAX
                + idle * (limits::CONNECTION_OWN_BYTES + limits::READ_BYTES)
                + limits::QUEUE_MAX * 200;
            // What is left is the program's own: 3.6 MB were measured, the rest is the session's.
            let memory = usize::try_from(limits_of(&service).memory_bytes).unwrap();
            assert!(
                worst + 5_000_000 < memory,
                "{file}: {name}: {worst} of {memory}"
            );
        }
    }
}

/// By themselves they grow to megabytes for who takes no answers.
#[test]
fn what_the_kernel_keeps_of_a_client_is_bounded_at_the_door() {
    for name in [
        "nginx.conf",
        "nginx.stream.conf",
        "prod/nginx/server-tls.conf",
    ] {
        let conf = file(name);
        let mut listens = conf
            .lines()
            .filter(|line| line.trim().starts_with("listen "));
        let bounded = |line: &str| line.contains(" sndbuf=8k rcvbuf=16k;");
        assert!(
            listens.clone().count() > 0 && listens.all(bounded),
            "{name}"
        );
    }
}
