//! The limits of a compose file's services, exactly, and their sum.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use yaml_rust2::Yaml;

use crate::error::Error;

/// The contest's, for all services together.
pub const CONTEST: Limits = Limits {
    cpu_millis: 1_500,
    memory_bytes: 550 * MB,
};
/// What both composes and the engine take `MB` for.
pub(super) const MB: u64 = 1024 * 1024;

/// What a service may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Thousandths of a CPU.
    pub cpu_millis: u64,
    /// As the engine reads them: an MB has 1,048,576 bytes.
    pub memory_bytes: u64,
}

impl Limits {
    /// Those of one service, in its `deploy`, as a file or `config` writes them.
    ///
    /// # Errors
    /// One is missing, or is not to be summed exactly.
    pub fn read(deploy: &Yaml) -> Result<Limits, Error> {
        let limits = &deploy["resources"]["limits"];
        let cpus = text(&limits["cpus"]).and_then(|text| thousandths(&text));
        let memory = text(&limits["memory"]).and_then(|text| bytes(&text));
        let both = cpus.zip(memory);
        let (cpu_millis, memory_bytes) = both.ok_or_else(|| {
            let sentence = "deploy.resources.limits wants cpus such as \"0.17\", at most three \
                            digits, and memory such as \"40MB\"";
            Error::new(format!("{sentence}, and has {limits:?}"))
        })?;
        Ok(Limits {
            cpu_millis,
            memory_bytes,
        })
    }
}

/// `0.170 CPU and 40 MB`.
impl fmt::Display for Limits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.cpu_millis / 1_000, self.cpu_millis % 1_000);
        let (mb, rest) = (self.memory_bytes / MB, self.memory_bytes % MB);
        write!(out, "{whole}.{part:03} CPU and {mb} MB")?;
        match rest {
            0 => Ok(()),
            bytes => write!(out, " and {bytes} bytes"),
        }
    }
}

/// Whether `limits` are in sum the contest's, exactly.
///
/// # Errors
/// A sentence with both sums.
pub fn check_sum(limits: &BTreeMap<String, Limits>) -> Result<(), Error> {
    let sum = Limits {
        cpu_millis: limits.values().map(|limits| limits.cpu_millis).sum(),
        memory_bytes: limits.values().map(|limits| limits.memory_bytes).sum(),
    };
    if sum == CONTEST {
        return Ok(());
    }
    let names: Vec<&str> = limits.keys().map(String::as_str).collect();
    let names = names.join(", ");
    Err(Error::new(format!(
        "the limits of {names} sum to {sum}; the contest's are {CONTEST}"
    )))
}

/// A scalar as it was written.
fn text(node: &Yaml) -> Option<String> {
    match node {
        Yaml::String(text) | Yaml::Real(text) => Some(text.clone()),
        Yaml::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `0.17` is 170.
pub(crate) fn thousandths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{part:0<3}");
    let part: u64 = (digits.len() == 3).then(|| digits.parse().ok()).flatten()?;
    Some(whole.parse::<u64>().ok()? * 1_000 + part)
}

fn bytes(text: &str) -> Option<u64> {
    let end = text.find(|sign: char| !sign.is_ascii_digit());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1024,
        "m" | "mb" => MB,
        "g" | "gb" => 1024 * MB,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use yaml_rust2::YamlLoader;

    #[test]
    fn limits_are_read_as_each_compose_writes_them() {
        let check = |cpus: &str, memory: &str, expected: Option<(u64, u64)>| {
            let limits = format!("limits: {{cpus: {cpus}, memory: {memory}}}");
            let deploy = format!("resources: {{{limits}}}");
            let deploy = YamlLoader::load_from_str(&deploy).unwrap().remove(0);
            let found = Limits::read(&deploy).ok();
            let found = found.map(|found| (found.cpu_millis, found.memory_bytes));
            assert_eq!(found, expected, "{cpus} {memory}");
        };
        check("\"0.17\"", "\"40MB\"", Some((170, 40 << 20)));
        check("0.17", "40MB", Some((170, 40 << 20)));
        check("0.17", "\"41943040\"", Some((170, 40 << 20)));
        check("1", "1g", Some((1_000, 1 << 30)));
        check("1.005", "3kb", Some((1_005, 3 << 10)));
        check("0.1234", "40MB", None);
        check("half", "40MB", None);
        check("0.5", "40MiB", None);
        check("0.5", "much", None);
        check("0.5", "~", None);
    }

    #[test]
    fn a_sum_is_the_contests_or_a_sentence() {
        let limits = |cpu_millis, mb: u64| Limits {
            cpu_millis,
            memory_bytes: mb * MB,
        };
        let sum = |last| {
            let all = [("a", limits(1_000, 500)), ("b", last)];
            check_sum(&all.map(|(name, limits)| (name.to_owned(), limits)).into())
        };
        sum(limits(500, 50)).unwrap();
        for wrong in [limits(499, 50), limits(501, 50), limits(500, 51)] {
            let sentence = sum(wrong).unwrap_err().to_string();
            assert!(sentence.contains("1.500 CPU and 550 MB"), "{sentence}");
        }
    }
}
