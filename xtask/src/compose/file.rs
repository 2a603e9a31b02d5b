//! What a compose file says, as compose itself reads it (`config`).

use std::collections::BTreeMap;

use yaml_rust2::{Yaml, YamlLoader};

use super::limits::Limits;
use crate::error::Error;

/// The services by their names.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub services: BTreeMap<String, Service>,
}

/// One service: what is compared with its container.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub image: String,
    pub limits: Limits,
    pub environment: BTreeMap<String, String>,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub security_opt: Vec<String>,
    pub is_read_only: bool,
    pub is_published: bool,
}

impl File {
    /// Reads what `config` printed.
    ///
    /// # Errors
    /// It is not YAML, or a service has no image or no limits.
    pub fn read(config: &str) -> Result<File, Error> {
        let documents = YamlLoader::load_from_str(config);
        let documents = documents.map_err(Error::while_doing("compose's `config`"))?;
        let document = documents.first().unwrap_or(&Yaml::BadValue);
        let services = document["services"].as_hash();
        let services = services.ok_or_else(|| Error::new("`config` has no services"))?;
        let read = |(name, node): (&Yaml, &Yaml)| {
            let name = name.as_str().unwrap_or_default().to_owned();
            let service = Service::read(node).map_err(Error::while_doing(&name))?;
            Ok((name, service))
        };
        // The old compose shows those of a profile, too, which `up` leaves alone.
        let enabled = services
            .iter()
            .filter(|(_, node)| strings(&node["profiles"]).is_empty());
        let services = enabled.map(read).collect::<Result<_, Error>>()?;
        Ok(File { services })
    }

    /// The limits of all.
    pub fn limits(&self) -> BTreeMap<String, Limits> {
        let limits = |(name, service): (&String, &Service)| (name.clone(), service.limits);
        self.services.iter().map(limits).collect()
    }

    /// The names of the replicas, in their order.
    pub fn replicas(&self) -> Vec<String> {
        let names = self.services.keys();
        names
            .filter(|name| name.starts_with("api"))
            .cloned()
            .collect()
    }
}

impl Service {
    fn read(node: &Yaml) -> Result<Service, Error> {
        let image = node["image"].as_str();
        let image = image.ok_or_else(|| Error::new("it has no image"))?;
        let environment = node["environment"].as_hash().into_iter().flatten();
        let pair = |(name, value): (&Yaml, &Yaml)| {
            Some((name.as_str()?.to_owned(), value.as_str()?.to_owned()))
        };
        Ok(Service {
            image: image.to_owned(),
            limits: Limits::read(&node["deploy"])?,
            environment: environment.filter_map(pair).collect(),
            cap_add: strings(&node["cap_add"]),
            cap_drop: strings(&node["cap_drop"]),
            security_opt: strings(&node["security_opt"]),
            is_read_only: node["read_only"].as_bool() == Some(true),
            is_published: node["ports"]
                .as_vec()
                .is_some_and(|ports| !ports.is_empty()),
        })
    }

    /// Whether it has a profile of its own.
    pub fn has_profile(&self) -> bool {
        let mut options = self.security_opt.iter();
        options.any(|option| option.starts_with("seccomp"))
    }
}

fn strings(list: &Yaml) -> Vec<String> {
    let list = list.as_vec().into_iter().flatten();
    list.filter_map(|item| Some(item.as_str()?.to_owned()))
        .collect()
}
