//! docker-compose.stream.yml on top of the contest's: another NGINX, other shares, the buffers
//! that fit them, no more.

use std::collections::BTreeMap;

use crebito::limits;
use xtask::compose::check_sum;

use crate::both::servers;
use crate::composition::{
    CONTEST, STREAM, composition, environment, file, limits as limits_of, merged, services, strings,
};

#[test]
fn only_nginx_the_shares_and_the_buffers_are_others() {
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
