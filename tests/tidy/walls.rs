//! Which room may know which: `main -> worker -> ledger -> bank -> {http, pg}`.

/// A room, and the rooms that it may name. Who is not listed (lib.rs, main.rs) may name all.
const ROOMS: [(&str, &[&str]); 8] = [
    ("limits", &[]),
    ("http", &["limits"]),
    ("pg", &["limits"]),
    ("bank", &["limits", "http", "pg"]),
    ("ledger", &["limits", "http", "pg", "bank"]),
    ("config", &["limits", "pg", "journal"]),
    ("journal", &["limits"]),
    (
        "worker",
        &[
            "limits", "http", "pg", "bank", "ledger", "config", "journal",
        ],
    ),
];

/// Rooms that are state machines over bytes and given times.
const PURE: [&str; 5] = ["limits", "http", "pg", "bank", "ledger"];

/// What reaches for a socket, a clock, a thread or the system. (An address or a duration is a
/// value like any other.)
const IMPURE: [&str; 12] = [
    "std::env",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::io::stdin",
];

/// Line and sentence of each breach in the code of one file (comments and literals blanked).
pub fn breaches(path: &str, code: &str) -> Vec<(usize, String)> {
    let Some(inside) = path.strip_prefix("src/") else {
        return Vec::new();
    };
    let room = inside
        .split('/')
        .next()
        .unwrap_or(inside)
        .trim_end_matches(".rs");
    let mut found = Vec::new();
    for (line, used) in paths(code) {
        let mut breach = |sentence: String| found.push((line, sentence));
        let allowed = ROOMS
            .iter()
            .find(|(name, _)| *name == room)
            .map(|(_, allowed)| *allowed);
        if let (Some(target), Some(allowed)) = (used.strip_prefix("crate::"), allowed) {
            let target = target.split("::").next().unwrap_or(target);
            if target != room && is_room(target) && !allowed.contains(&target) {
                breach(format!("{room} may not know {target}"));
            }
        }
        let starts = |prefix: &str| {
            used.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        if starts("monoio") && room != "worker" {
            breach("monoio is the worker's alone".to_owned());
        }
        if starts("mimalloc") && room != "main" {
            breach("the allocator is chosen in main.rs alone".to_owned());
        }
        let pure = PURE.contains(&room);
        if starts("std::env") && room != "config" && !pure {
            breach("the environment is read in config.rs alone".to_owned());
        }
        if pure && IMPURE.iter().any(|impure| starts(impure)) {
            breach(format!("{used}: {room} has no I/O, clock or thread"));
        }
    }
    for (index, line) in code.lines().enumerate() {
        let words: Vec<&str> = line
            .split(|sign: char| !sign.is_alphanumeric() && sign != '_')
            .collect();
        if room != "worker" && words.iter().any(|word| matches!(*word, "async" | "await")) {
            found.push((index + 1, "only the worker awaits".to_owned()));
        }
    }
    found
}

fn is_room(name: &str) -> bool {
    ROOMS.iter().any(|(room, _)| *room == name)
}

/// Every `a::b::c` of the code with its line, those in braces of a `use` written out.
fn paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut prefixes: Vec<String> = Vec::new(); // of each open brace: what stands before it
    let mut path = String::new();
    let mut line = 1;
    let mut signs = code.chars().peekable();
    while let Some(sign) = signs.next() {
        let before = prefixes.last().map_or("", String::as_str);
        match sign {
            _ if sign.is_alphanumeric() || sign == '_' => path.push(sign),
            ':' if signs.peek() == Some(&':') && !path.is_empty() => {
                signs.next();
                path.push_str("::");
            }
            '{' if path.ends_with("::") => {
                prefixes.push(format!("{before}{path}"));
                path.clear();
            }
            _ => {
                if !path.is_empty() {
                    found.push((line, format!("{before}{path}")));
                    path.clear();
                }
                match sign {
                    '{' => prefixes.push(String::new()),
                    '}' => drop(prefixes.pop()),
                    '\n' => line += 1,
                    _ => {}
                }
            }
        }
    }
    found.extend((!path.is_empty()).then_some((line, path)));
    found
}
