//! docker-compose.stream.yml on top of the contest's: another NGINX, other shares, no more.

use std::collections::BTreeMap;

use crebito::limits;
use xtask::compose::check_sum;

use crate::both::servers;
use crate::composition::{
    CONTEST, PROD, composition, environment, file, limits as limits_of, merged, postgres_conf,
    services, settings, strings,
};

const STREAM: &str = "docker-compose.stream.yml";

#[test]
fn only_nginx_and_the_shares_are_others() {
    let contest = services(CONTEST);
    let stream = services(STREAM);
    assert!(composition(STREAM).keys().eq(["services"]));
    assert!(stream.keys().eq(contest.keys()));
    for (name, service) in &stream {
        let mut keys: Vec<&str> = service.keys().map(String::as_str).collect();
        if name == "nginx" {
            let volume = "./nginx.stream.conf:/etc/nginx/nginx.conf:ro";
            assert_eq!(strings(service.get("volumes")), [volume]);
            keys.retain(|key| *key != "volumes");
        }
        if name == "db" {
            let mut expected = strings(contest[name].get("command"));
            expected.push("-cshared_buffers=192MB".to_owned());
            assert_eq!(strings(service.get("command")), expected);
            keys.retain(|key| *key != "command");
        }
        assert_eq!(keys, ["deploy"], "{name}");
        let resources = merged(&merged(&service["deploy"])["resources"]);
        assert!(resources.keys().eq(["limits"]), "{name}");
    }
    let limits = stream
        .iter()
        .map(|(name, service)| (name.clone(), limits_of(service)));
    check_sum(&limits.collect::<BTreeMap<_, _>>()).unwrap();
}

#[test]
fn it_meets_the_replicas_where_the_default_does() {
    let found = servers("nginx.stream.conf");
    assert_eq!(found, servers("nginx.conf"));
    assert_eq!(found.len(), 2);
    assert!(file("nginx.stream.conf").contains("least_conn;"));
}

/// What `shared_buffers` leave is for sessions, three vacuums and the WAL's buffers: with
/// a million clientes they are all taken, and beyond the limit the kernel kills a session.
#[test]
fn the_databases_memory_holds_its_buffers_and_the_rest() {
    let in_file = postgres_conf().into_iter();
    let in_file = in_file.map(|(name, value)| format!("{name}={value}"));
    let in_file: Vec<String> = in_file.collect();
    for name in [CONTEST, PROD, STREAM] {
        let db = &services(name)["db"];
        let told: Vec<String> = settings(db).into_iter().chain(in_file.clone()).collect();
        let told = told
            .iter()
            .find_map(|it| it.strip_prefix("shared_buffers="));
        let megabytes = told.and_then(|it| it.strip_suffix("MB"));
        let megabytes: u64 = megabytes.unwrap().parse().unwrap();
        let left = limits_of(db).memory_bytes - megabytes * 1_048_576;
        assert!(left > 90 * 1_048_576, "{name}: {left} bytes are left");
    }
}

/// Behind a pipe each connection may be a hostile client's, with all that it may have under way.
#[test]
fn the_replicas_memory_is_enough_for_clients_at_their_worst() {
    let stream = services(STREAM);
    for (name, service) in services(CONTEST) {
        if !name.starts_with("api") {
            continue;
        }
        let connections = environment(&service, "MAX_CONNECTIONS").unwrap();
        let connections: usize = connections.parse().unwrap();
        let worst = connections * limits::CONNECTION_BYTES_MAX + limits::QUEUE_MAX * 200;
        let memory = usize::try_from(limits_of(&stream[&name]).memory_bytes).unwrap();
        assert!(
            worst + 5_000_000 < memory,
            "{name}: {worst} of {memory} bytes"
        );
    }
}
