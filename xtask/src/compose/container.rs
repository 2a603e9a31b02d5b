//! A container, as the engine describes it.

use serde::Deserialize;

use crate::error::Error;

/// Of `docker inspect`, what is looked at.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Container {
    pub name: String,
    pub state: State,
    pub host_config: HostConfig,
    pub network_settings: NetworkSettings,
    config: Config,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct State {
    pub pid: u32,
    pub running: bool,
}

/// How it was asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HostConfig {
    #[serde(default)]
    pub privileged: bool,
    #[serde(default)]
    pub readonly_rootfs: bool,
    pub cap_drop: Option<Vec<String>>,
    pub security_opt: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NetworkSettings {
    /// By the port inside; where it is published outside. One that is not is null or empty, as the
    /// engine likes.
    #[serde(default)]
    pub ports: std::collections::BTreeMap<String, Option<Vec<serde_json::Value>>>,
    #[serde(default)]
    networks: std::collections::BTreeMap<String, Network>,
}

#[derive(Clone, Debug, Deserialize)]
struct Network {
    #[serde(rename = "IPAddress", default)]
    address: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    labels: std::collections::BTreeMap<String, String>,
}

impl Container {
    /// All in the answer of `docker inspect`.
    pub fn read(json: &str) -> Result<Vec<Container>, Error> {
        serde_json::from_str(json).map_err(Error::while_doing("`docker inspect`"))
    }

    /// Of compose.
    pub fn service(&self) -> &str {
        let label = self.config.labels.get("com.docker.compose.service");
        label.map_or("", String::as_str)
    }

    /// Its name without the engine's slash.
    pub fn name(&self) -> &str {
        self.name.trim_start_matches('/')
    }

    /// Whether the outside reaches one of its ports.
    pub fn is_published(&self) -> bool {
        let mut ports = self.network_settings.ports.values().flatten();
        ports.any(|places| !places.is_empty())
    }

    /// Its addresses on the composition's networks.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let networks = self.network_settings.networks.values();
        networks
            .map(|network| network.address.as_str())
            .filter(|address| !address.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_published_where_it_has_a_place_outside() {
        let check = |ports: &str, expected: bool| {
            let json = format!(
                r#"[{{"Name": "/a", "State": {{"Pid": 1, "Running": true}},
                    "HostConfig": {{}}, "Config": {{"Labels": {{}}}},
                    "NetworkSettings": {{"Ports": {ports}}}}}]"#
            );
            let [container] = &Container::read(&json).unwrap()[..] else {
                panic!("one: {json}");
            };
            assert_eq!(container.is_published(), expected, "{ports}");
        };
        check("{}", false);
        check(r#"{"5432/tcp": null}"#, false);
        check(r#"{"5432/tcp": []}"#, false);
        let place = r#"[{"HostIp": "0.0.0.0", "HostPort": "9999"}]"#;
        check(&format!(r#"{{"80/tcp": null, "9999/tcp": {place}}}"#), true);
    }
}
