//! Grafana's dashboards, made from the short files of observability/dashboards/.
//!
//! A source says what is drawn: for each panel a title, a unit and its lines, each a legend with an
//! expression. Where it stands, and what Grafana's JSON wants besides, is the same for all.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use yaml_rust2::{Yaml, YamlLoader};

use crate::checkout::checkout;
use crate::error::Error;

/// The grid's columns.
const COLUMNS: u64 = 24;

/// A dashboard's source, read.
struct Dashboard {
    uid: String,
    title: String,
    /// Whether `$replica` chooses among the replicas.
    replicas: bool,
    panels: Vec<Panel>,
}

struct Panel {
    kind: Kind,
    title: String,
    about: Option<String>,
    unit: Option<String>,
    width: u64,
    is_stacked: bool,
    /// Legends with their expressions.
    lines: Vec<(String, String)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A heading.
    Row,
    Timeseries,
    Stat,
    Heatmap,
}

/// Each dashboard's file, with the JSON that is to be in it.
///
/// # Errors
/// A source cannot be read, or has what no source has.
pub fn made() -> Result<Vec<(PathBuf, String)>, Error> {
    let observability = checkout()?.join("observability");
    let made = |source: PathBuf| {
        let text = fs::read_to_string(&source).map_err(Error::while_doing(source.display()))?;
        let dashboard = Dashboard::read(&text).map_err(Error::while_doing(source.display()))?;
        let name = Path::new(source.file_name().unwrap_or_default()).with_extension("json");
        let file = observability.join("grafana").join("dashboards").join(name);
        Ok((file, text_of(&dashboard.json())))
    };
    let sources = super::files_in(&observability.join("dashboards"), "yml")?;
    sources.into_iter().map(made).collect()
}

/// `cargo xtask dashboards`: writes each.
///
/// # Errors
/// Those of [`made`], or a file cannot be written.
pub fn write() -> Result<(), Error> {
    for (file, text) in made()? {
        fs::write(&file, text).map_err(Error::while_doing(file.display()))?;
        crate::say(file.display());
    }
    Ok(())
}

impl Dashboard {
    fn read(text: &str) -> Result<Dashboard, Error> {
        let documents = YamlLoader::load_from_str(text).map_err(Error::while_doing("YAML"))?;
        let node = documents.first().unwrap_or(&Yaml::BadValue);
        known(node, &["uid", "title", "replicas", "panels"])?;
        let panels = node["panels"].as_vec().into_iter().flatten();
        Ok(Dashboard {
            uid: needed(node, "uid")?,
            title: needed(node, "title")?,
            replicas: node["replicas"].as_bool().unwrap_or(false),
            panels: panels.map(Panel::read).collect::<Result<_, Error>>()?,
        })
    }

    fn json(&self) -> Value {
        let (mut x, mut y, mut line_height) = (0, 0, 0);
        let mut panels = Vec::new();
        for (panel, id) in self.panels.iter().zip(1_u64..) {
            if x + panel.width > COLUMNS {
                (x, y) = (0, y + line_height);
                line_height = 0;
            }
            let height = panel.height();
            let place = json!({ "h": height, "w": panel.width, "x": x, "y": y });
            panels.push(panel.json(id, place));
            x += panel.width;
            line_height = line_height.max(height);
        }
        json!({
            "uid": self.uid,
            "title": self.title,
            "tags": ["crebito"],
            "schemaVersion": 39,
            "refresh": "5s",
            "time": { "from": "now-15m", "to": "now" },
            "graphTooltip": 1,
            "links": [{ "type": "dashboards", "tags": ["crebito"], "title": "crebito" }],
            "templating": { "list": self.variables() },
            "panels": panels,
        })
    }

    fn variables(&self) -> Value {
        let replica = json!({
            "name": "replica",
            "type": "query",
            "datasource": source(),
            "query": { "query": "label_values(up{job=\"crebito\"}, instance)", "refId": "replica" },
            "refresh": 2,
            "multi": true,
            "includeAll": true,
            "allValue": ".*",
            "current": { "text": "All", "value": "$__all" },
        });
        if self.replicas {
            json!([replica])
        } else {
            json!([])
        }
    }
}

impl Panel {
    fn read(node: &Yaml) -> Result<Panel, Error> {
        if let Some(title) = node["row"].as_str() {
            known(node, &["row"])?;
            return Ok(Panel {
                kind: Kind::Row,
                title: title.to_owned(),
                about: None,
                unit: None,
                width: COLUMNS,
                is_stacked: false,
                lines: Vec::new(),
            });
        }
        let title = needed(node, "title")?;
        let odd = |what: &str| Error::new(format!("panel {title:?}: {what}"));
        known(
            node,
            &["title", "about", "kind", "unit", "width", "stack", "lines"],
        )
        .map_err(Error::while_doing(&title))?;
        let kind = match node["kind"].as_str() {
            None => Kind::Timeseries,
            Some("stat") => Kind::Stat,
            Some("heatmap") => Kind::Heatmap,
            Some(other) => return Err(odd(other)),
        };
        let line = |(legend, expression): (&Yaml, &Yaml)| {
            Some((legend.as_str()?.to_owned(), expression.as_str()?.to_owned()))
        };
        let lines = node["lines"].as_hash().into_iter().flatten().map(line);
        let lines = lines
            .collect::<Option<Vec<_>>>()
            .filter(|lines| !lines.is_empty());
        let text = |key: &str| node[key].as_str().map(str::to_owned);
        Ok(Panel {
            kind,
            about: text("about"),
            unit: text("unit"),
            width: node["width"]
                .as_i64()
                .map_or(Ok(COLUMNS / 2), u64::try_from)
                .map_err(|_| odd("width"))?,
            is_stacked: node["stack"].as_bool().unwrap_or(false),
            lines: lines.ok_or_else(|| odd("lines are legends with expressions"))?,
            title,
        })
    }

    fn height(&self) -> u64 {
        match self.kind {
            Kind::Row => 1,
            Kind::Stat => 4,
            Kind::Timeseries | Kind::Heatmap => 8,
        }
    }

    fn json(&self, id: u64, place: Value) -> Value {
        let mut panel = json!({
            "id": id,
            "type": self.kind.name(),
            "title": self.title,
            "gridPos": place,
        });
        if self.kind == Kind::Row {
            return panel;
        }
        panel["datasource"] = source();
        panel["targets"] = self.targets();
        if let Some(about) = &self.about {
            panel["description"] = about.as_str().into();
        }
        let unit = self.unit.as_deref().unwrap_or("short");
        match self.kind {
            Kind::Heatmap => {
                panel["options"] = json!({ "calculate": false, "yAxis": { "unit": unit } });
            }
            Kind::Stat => {
                panel["fieldConfig"] = json!({ "defaults": { "unit": unit } });
                let reduced = json!({ "calcs": ["lastNotNull"] });
                let text = if self.lines.iter().any(|(legend, _)| legend.is_empty()) {
                    "value"
                } else {
                    "name"
                };
                panel["options"] = json!({ "reduceOptions": reduced, "textMode": text });
            }
            Kind::Timeseries | Kind::Row => {
                let mut custom = json!({ "fillOpacity": 10 });
                if self.is_stacked {
                    custom["stacking"] = json!({ "mode": "normal" });
                }
                panel["fieldConfig"] =
                    json!({ "defaults": { "unit": unit, "min": 0, "custom": custom } });
            }
        }
        panel
    }

    fn targets(&self) -> Value {
        let format = match self.kind {
            Kind::Heatmap => "heatmap",
            _ => "time_series",
        };
        let target = |((legend, expression), name): (&(String, String), char)| {
            json!({
                "refId": name.to_string(),
                "expr": expression,
                "legendFormat": legend,
                "format": format,
            })
        };
        self.lines.iter().zip('A'..).map(target).collect()
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Row => "row",
            Kind::Timeseries => "timeseries",
            Kind::Stat => "stat",
            Kind::Heatmap => "heatmap",
        }
    }
}

/// A line for each key, and for each panel: a change of one is a change of a line.
fn text_of(dashboard: &Value) -> String {
    let line = |(key, value): (&String, &Value)| {
        let Some(panels) = value.as_array().filter(|_| key == "panels") else {
            return format!("  \"{key}\": {value}");
        };
        let panels: Vec<String> = panels.iter().map(|panel| format!("    {panel}")).collect();
        format!("  \"{key}\": [\n{}\n  ]", panels.join(",\n"))
    };
    let keys = dashboard.as_object().into_iter().flatten();
    let lines: Vec<String> = keys.map(line).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

/// As observability/grafana/provisioning/datasources names it.
fn source() -> Value {
    json!({ "type": "prometheus", "uid": "prometheus" })
}

fn needed(node: &Yaml, key: &str) -> Result<String, Error> {
    let text = node[key].as_str().map(str::to_owned);
    text.ok_or_else(|| Error::new(format!("`{key}` is missing")))
}

/// A key that nobody reads is a mistake.
fn known(node: &Yaml, keys: &[&str]) -> Result<(), Error> {
    let mut found = node.as_hash().into_iter().flatten().map(|(key, _)| key);
    match found.find(|key| !key.as_str().is_some_and(|key| keys.contains(&key))) {
        Some(key) => Err(Error::new(format!("{key:?} is not known"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
uid: a
title: A
panels:
  - title: one
    kind: stat
    width: 8
    lines:
      \"\": sum(a)
  - title: two
    unit: s
    stack: true
    lines:
      p99: b
      p50: c{d=\"e\"}
  - row: more
  - title: three
    kind: heatmap
    lines: {x: y}
";

    #[test]
    fn a_short_source_is_a_dashboard() {
        let json = Dashboard::read(SOURCE).unwrap().json();
        assert_eq!(
            json,
            serde_json::from_str::<Value>(&text_of(&json)).unwrap()
        );
        let panels = json["panels"].as_array().unwrap();
        let places: Vec<String> = panels
            .iter()
            .map(|panel| {
                let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
                format!("{} {} {} {}", at("x"), at("y"), at("w"), at("h"))
            })
            .collect();
        assert_eq!(places, ["0 0 8 4", "8 0 12 8", "0 8 24 1", "0 9 12 8"]);
        let lines: Vec<(&str, &str)> = panels[1]["targets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|target| {
                let text = |key: &str| target[key].as_str().unwrap();
                (text("legendFormat"), text("expr"))
            })
            .collect();
        assert_eq!(
            lines,
            [("p99", "b"), ("p50", "c{d=\"e\"}")],
            "in their order"
        );
        assert_eq!(panels[1]["fieldConfig"]["defaults"]["unit"], "s");
    }

    #[test]
    fn what_no_source_has_is_refused() {
        for (right, wrong) in [
            ("uid: a", "uuid: a"),
            ("stack: true", "stacked: true"),
            ("kind: stat", "kind: start"),
            ("row: more", "row: more\n    unit: s"),
            ("lines: {x: y}", "lines: {}"),
            ("lines: {x: y}", "lines: {x: 1}"),
            ("width: 8", "width: -8"),
        ] {
            let source = SOURCE.replace(right, wrong);
            assert!(Dashboard::read(&source).is_err(), "{wrong}");
        }
    }
}
