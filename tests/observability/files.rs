//! The files as they are: made of their sources, of one mind, and right in promtool's eyes.

use std::collections::BTreeSet;
use std::process::Command;

use xtask::observe::dashboard;
use yaml_rust2::Yaml;

use crate::{path, text, yaml};

#[test]
fn dashboards_are_made_of_their_sources() {
    let mut made: Vec<_> = dashboard::made().unwrap();
    for (file, json) in &made {
        let found = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            &found == json,
            "{} is not as its source: cargo xtask dashboards",
            file.display()
        );
    }
    let found = std::fs::read_dir(path("grafana/dashboards")).unwrap();
    let mut found: Vec<_> = found.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    made.sort();
    let made: Vec<_> = made.into_iter().map(|(file, _)| file).collect();
    assert_eq!(found, made, "one of them has no source");
    assert_eq!(made.len(), 4);
}

#[test]
fn grafana_and_prometheus_agree() {
    let sources = yaml("grafana/provisioning/datasources/crebito.yml");
    let sources = sources["datasources"].as_vec().unwrap();
    let uids: Vec<&str> = sources
        .iter()
        .map(|source| source["uid"].as_str().unwrap())
        .collect();
    assert_eq!(uids, ["prometheus", "influxdb"]);
    for (file, json) in dashboard::made().unwrap() {
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        for panel in json["panels"].as_array().unwrap() {
            let uid = panel["datasource"]["uid"].as_str();
            assert!(
                panel["type"] == "row" || uid.is_some_and(|uid| uids.contains(&uid)),
                "{}: {panel}",
                file.display()
            );
        }
    }
    let prometheus = yaml("prometheus.yml");
    let interval = prometheus["global"]["scrape_interval"].as_str();
    assert!(interval.is_some());
    assert_eq!(interval, sources[0]["jsonData"]["timeInterval"].as_str());
}

/// Runs promtool, which must be content.
fn promtool(words: &[&str], file: &str) {
    let program = xtask::programs::prometheus("promtool").unwrap();
    let output = Command::new(program).args(words).arg(path(file)).output();
    let output = output.unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{words:?} {file}\n{said}");
}

#[test]
fn promtool_finds_nothing_wrong() {
    promtool(&["check", "config"], "prometheus.yml");
    promtool(&["check", "rules"], "rules/crebito.yml");
    promtool(&["test", "rules"], "rules/tests/crebito.yml");
}

#[test]
fn each_alert_is_seen_silent_and_loud() {
    let names = |node: &Yaml, key: &str| -> BTreeSet<String> {
        let nodes = node.as_vec().unwrap().iter();
        let name = |node: &Yaml| node[key].as_str().map(str::to_owned);
        nodes.filter_map(name).collect()
    };
    let rules = yaml("rules/crebito.yml");
    let alerts = names(&rules["groups"][0]["rules"], "alert");
    assert!(alerts.len() >= 6, "{alerts:?}");
    let tests = yaml("rules/tests/crebito.yml");
    let (mut silent, mut loud) = (BTreeSet::new(), BTreeSet::new());
    for test in tests["tests"].as_vec().unwrap() {
        for case in test["alert_rule_test"].as_vec().unwrap() {
            let name = case["alertname"].as_str().unwrap().to_owned();
            match case["exp_alerts"].as_vec() {
                Some(expected) if !expected.is_empty() => loud.insert(name),
                _ => silent.insert(name),
            };
        }
    }
    assert_eq!(silent, alerts, "silent");
    assert_eq!(loud, alerts, "loud");
}

#[test]
fn the_page_has_each_dashboard() {
    let page = text("page/page.js");
    let (_, list) = page.split_once("const DASHBOARDS = [").unwrap();
    let (list, _) = list.split_once("];").unwrap();
    let mut listed: Vec<&str> = list
        .split(", ")
        .map(|name| name.trim_matches('\''))
        .collect();
    listed.sort_unstable();
    let made = dashboard::made().unwrap();
    let made: Vec<_> = made
        .iter()
        .map(|(file, _)| file.file_stem().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(listed, made);
    let scrape = yaml("prometheus.yml")["global"]["scrape_interval"].clone();
    let seconds = scrape.as_str().unwrap().trim_end_matches('s').to_owned();
    assert!(page.contains(&format!("SCRAPE_SECONDS = {seconds};")));
}

#[test]
fn lines_fit_the_house() {
    for name in [
        "prometheus.yml",
        "rules/crebito.yml",
        "postgres/monitor.sql",
        "page/page.js",
    ] {
        for line in text(name).lines() {
            assert!(line.chars().count() <= 100, "{name}: {line}");
        }
    }
}
