//! Whether what the file asks for is in force: in the kernel's words, not in the engine's alone.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use super::composition::Composition;
use super::container::Container;
use super::file::Service;
use super::sockets;
use crate::cgroup::Cgroup;
use crate::error::Error;

/// Nobody there answers, or it does at once: a neighbour.
const CONNECT: Duration = Duration::from_secs(2);

/// Compares every container with its service.
///
/// # Errors
/// All that is not as the file says, a line each.
pub(super) fn check(composition: &Composition, containers: &[Container]) -> Result<(), Error> {
    let mut faults = Vec::new();
    for container in containers {
        let Some(service) = composition.file.services.get(container.service()) else {
            continue;
        };
        let found = faults_of(container, service)?;
        let named = |fault| format!("{}: {fault}", container.service());
        faults.extend(found.into_iter().map(named));
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Error::new(faults.join("\n"))),
    }
}

fn faults_of(container: &Container, service: &Service) -> Result<Vec<String>, Error> {
    if !container.state.running {
        // There is no process to hold against the file.
        return Ok(vec!["it does not run".to_owned()]);
    }
    let mut faults = Vec::new();
    let mut hold = |is_so: bool, sentence: String| {
        if !is_so {
            faults.push(sentence);
        }
    };
    let (pid, host) = (container.state.pid, &container.host_config);
    let limits = Cgroup::of(pid)?.limits()?;
    let expected = service.limits;
    hold(
        limits == Some(expected),
        match limits {
            Some(limits) => format!("the kernel holds it to {limits}, the file says {expected}"),
            None => format!("the kernel does not hold it to all that the file says: {expected}"),
        },
    );
    hold(!host.privileged, "it is privileged".to_owned());
    let read_only = (host.readonly_rootfs, is_root_read_only(pid));
    hold(
        read_only.0 == service.is_read_only && read_only.1.is_none_or(|is| is == read_only.0),
        format!("read-only root: {read_only:?} in force (engine, kernel)"),
    );
    hold(
        list(host.cap_drop.as_ref()) == list(Some(&service.cap_drop)),
        format!("cap_drop: {:?}", host.cap_drop),
    );
    let profile = list(host.security_opt.as_ref());
    hold(
        service.has_profile() == profile.iter().any(|option| option.starts_with("seccomp=")),
        "its seccomp profile is not the one of the file".to_owned(),
    );
    hold(
        container.is_published() == service.is_published,
        format!("published ports: {:?}", container.network_settings.ports),
    );
    let status = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&status).map_err(Error::while_doing(status))?;
    faults.extend(faults_of_process(&status, service));
    Ok(faults)
}

/// By proc(5), /proc/pid/status.
fn faults_of_process(status: &str, service: &Service) -> Vec<String> {
    let field = |name: &str| {
        let mut lines = status.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(found, _)| *found == name)
            .map_or("", |(_, value)| value.trim())
    };
    let mut faults = Vec::new();
    let wants_no_new = service
        .security_opt
        .iter()
        .any(|option| option.starts_with("no-new"));
    if wants_no_new && field("NoNewPrivs") != "1" {
        faults.push("it may gain privileges (NoNewPrivs)".to_owned());
    }
    // 2 is a filter; 0 is unconfined, which is also what an engine makes of a profile that it
    // does not read as it was meant.
    let seccomp = field("Seccomp");
    if seccomp != "2" {
        faults.push(format!(
            "no seccomp filter is in force (Seccomp: {seccomp})"
        ));
    }
    if service.cap_drop == ["ALL"] {
        let bounding = u64::from_str_radix(field("CapBnd"), 16).ok();
        match capabilities(&service.cap_add) {
            Some(expected) if bounding == Some(expected) => {}
            expected => faults.push(format!(
                "capabilities {bounding:x?}, the file says {:?} ({expected:x?})",
                service.cap_add
            )),
        }
    }
    faults
}

/// The bits of capabilities(7); none if one is not known here.
fn capabilities(names: &[String]) -> Option<u64> {
    let bit = |name: &str| match name {
        "CHOWN" => Some(0),
        "DAC_OVERRIDE" => Some(1),
        "FOWNER" => Some(3),
        "KILL" => Some(5),
        "SETGID" => Some(6),
        "SETUID" => Some(7),
        "NET_BIND_SERVICE" => Some(10),
        _ => None,
    };
    let names = names.iter().map(|name| name.trim_start_matches("CAP_"));
    names.map(bit).try_fold(0, |all, bit| Some(all | 1 << bit?))
}

fn list(words: Option<&Vec<String>>) -> Vec<String> {
    // Some engines write a capability with its prefix.
    let words = words.into_iter().flatten();
    let mut words: Vec<String> = words
        .map(|word| word.trim_start_matches("CAP_").into())
        .collect();
    words.sort();
    words
}

/// As the kernel mounted it; none where only root may look.
fn is_root_read_only(pid: u32) -> Option<bool> {
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).ok()?;
    let options = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(4);
        (fields.next()? == "/").then(|| fields.next())?
    })?;
    Some(options.split(',').any(|option| option == "ro"))
}

/// The database can be reached from inside only: it listens on no address that others have, none
/// of its ports is published, and its own address refuses.
///
/// # Errors
/// A way in was found.
pub(super) fn check_database(containers: &[Container]) -> Result<(), Error> {
    let databases = containers
        .iter()
        .filter(|container| container.service() == "db");
    for database in databases {
        for table in ["tcp", "tcp6"] {
            let text = sockets::read(database, table)?;
            if let Some(address) = sockets::listeners(&text).next() {
                return Err(Error::new(format!(
                    "the database listens on {address} ({table})"
                )));
            }
        }
        let addresses = database
            .addresses()
            .filter_map(|text| text.parse::<IpAddr>().ok());
        for address in addresses {
            if TcpStream::connect_timeout(&SocketAddr::from((address, 5432)), CONNECT).is_ok() {
                return Err(Error::new(format!(
                    "the database answers on {address}:5432"
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Service {
        Service {
            image: "a:1".to_owned(),
            limits: Default::default(),
            environment: Default::default(),
            cap_add: ["SETGID", "CAP_SETUID"].map(str::to_owned).to_vec(),
            cap_drop: vec!["ALL".to_owned()],
            security_opt: vec!["no-new-privileges:true".to_owned()],
            is_read_only: true,
            is_published: false,
        }
    }

    #[test]
    fn a_container_that_ended_is_named_as_that_and_nothing_more() {
        let json = r#"[{"Name": "/a", "State": {"Pid": 0, "Running": false},
            "HostConfig": {}, "Config": {"Labels": {}}, "NetworkSettings": {}}]"#;
        let containers = Container::read(json).unwrap();
        let faults = faults_of(&containers[0], &service()).unwrap();
        assert_eq!(faults, ["it does not run"]);
    }

    #[test]
    fn a_process_is_as_confined_as_its_service_asks() {
        let check = |status: &str, count: usize| {
            let faults = faults_of_process(status, &service());
            assert_eq!(faults.len(), count, "{status}: {faults:?}");
        };
        check(
            "NoNewPrivs:\t1\nSeccomp:\t2\nCapBnd:\t00000000000000c0\n",
            0,
        );
        check(
            "NoNewPrivs:\t0\nSeccomp:\t2\nCapBnd:\t00000000000000c0\n",
            1,
        );
        check(
            "NoNewPrivs:\t1\nSeccomp:\t0\nCapBnd:\t00000000000000c0\n",
            1,
        );
        check(
            "NoNewPrivs:\t1\nSeccomp:\t2\nCapBnd:\t00000000000000c1\n",
            1,
        );
        check("", 3);
        assert_eq!(capabilities(&["SYS_ADMIN".to_owned()]), None);
    }
}
