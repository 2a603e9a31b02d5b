//! The expressions that Prometheus is asked, wherever they stand.

use serde_json::Value;

use crate::{path, yaml};

/// One expression, as it stands and as it is asked.
#[derive(Clone, Debug)]
pub struct Expression {
    /// Its file with its panel or alert.
    pub place: String,
    /// Grafana's variables have values, and an alert's comparison is gone.
    pub asked: String,
    /// The labels that its legend shows.
    pub labels: Vec<String>,
}

/// The prefixes of everything that is exported here.
const PREFIXES: [&str; 5] = ["crebito_", "process_", "pg_", "k6_", "nginx_"];

impl Expression {
    fn new(place: String, expression: &str, labels: Vec<String>) -> Expression {
        // Four scrapes, as Grafana has it at the least.
        let asked = expression.replace("$__rate_interval", "20s");
        let asked = asked.replace("$replica", ".*");
        assert!(!asked.contains('$'), "{place}: {asked}");
        Expression {
            place,
            asked,
            labels,
        }
    }

    /// The metrics that it names.
    pub fn metrics(&self) -> Vec<String> {
        let is_part = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
        let words = self.asked.split(|sign| !is_part(sign));
        let is_metric =
            |word: &&str| *word == "up" || PREFIXES.iter().any(|prefix| word.starts_with(prefix));
        let metrics: Vec<String> = words.filter(is_metric).map(str::to_owned).collect();
        assert!(
            !metrics.is_empty(),
            "{self:?} names no metric that is known"
        );
        metrics
    }
}

/// Every dashboard's, as Grafana gets them.
pub fn of_dashboards() -> Vec<Expression> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(path("grafana/dashboards")).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let json: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let panels = json["panels"].as_array().unwrap();
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            assert_eq!(panel["datasource"]["type"], "prometheus", "{name}");
            for target in panel["targets"].as_array().unwrap() {
                let place = format!("{name}: {}", panel["title"]);
                let labels = labels(target["legendFormat"].as_str().unwrap());
                let expression = target["expr"].as_str().unwrap();
                all.push(Expression::new(place, expression, labels));
            }
        }
    }
    all
}

/// Those in `{{label}}`.
fn labels(legend: &str) -> Vec<String> {
    let opened = legend.split("{{").skip(1);
    let label = |rest: &str| rest.split("}}").next().unwrap().to_owned();
    opened.map(label).collect()
}

/// Every alert's, without the comparison that makes it an alert.
pub fn of_rules() -> Vec<Expression> {
    let rules = yaml("rules/crebito.yml");
    let groups = rules["groups"].as_vec().unwrap();
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_vec().unwrap());
    let expression = |rule: &yaml_rust2::Yaml| {
        let place = format!("rules: {}", rule["alert"].as_str().unwrap());
        let whole = rule["expr"].as_str().unwrap();
        let compared = [" > ", " < "]
            .iter()
            .filter_map(|sign| whole.rsplit_once(sign))
            .find(|(_, right)| right.parse::<f64>().is_ok());
        let (left, _) = compared.unwrap_or_else(|| panic!("{place}: no comparison: {whole}"));
        Expression::new(place, left, Vec::new())
    };
    rules.map(expression).collect()
}
