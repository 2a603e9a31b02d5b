//! Rust source, as far as the rules look into it.

/// The text with comments and the insides of literals blanked, line by line as it was.
pub fn code_of(text: &str) -> String {
    let signs: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < signs.len() {
        let end = match (signs[at], signs.get(at + 1)) {
            ('/', Some('/')) => end_of_line(&signs, at),
            ('/', Some('*')) => end_of_block(&signs, at),
            ('"', _) => end_of_string(&signs, at + 1),
            ('r', Some('"' | '#')) if !part_of_name(&signs, at) => end_of_raw(&signs, at),
            ('\'', _) => end_of_char(&signs, at),
            _ => at,
        };
        if end == at {
            code.push(signs[at]);
            at += 1;
        } else {
            code.extend(
                signs[at..end]
                    .iter()
                    .map(|&sign| if sign == '\n' { '\n' } else { ' ' }),
            );
            at = end;
        }
    }
    code
}

fn part_of_name(signs: &[char], at: usize) -> bool {
    at > 0 && (signs[at - 1].is_alphanumeric() || signs[at - 1] == '_')
}

fn end_of_line(signs: &[char], at: usize) -> usize {
    signs[at..]
        .iter()
        .position(|&sign| sign == '\n')
        .map_or(signs.len(), |length| at + length)
}

fn end_of_block(signs: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut here = at;
    while here + 1 < signs.len() {
        match (signs[here], signs[here + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') if depth == 1 => return here + 2,
            ('*', '/') => depth -= 1,
            _ => {
                here += 1;
                continue;
            }
        }
        here += 2;
    }
    signs.len()
}

fn end_of_string(signs: &[char], mut at: usize) -> usize {
    while at < signs.len() && signs[at] != '"' {
        at += if signs[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(signs.len())
}

/// `r"…"`, `r#"…"#`; `r#name` is none.
fn end_of_raw(signs: &[char], at: usize) -> usize {
    let hashes = signs[at + 1..]
        .iter()
        .take_while(|&&sign| sign == '#')
        .count();
    if signs.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let close: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let from = at + 2 + hashes;
    let length = signs[from..]
        .windows(close.len())
        .position(|window| window == close);
    length.map_or(signs.len(), |length| from + length + close.len())
}

/// `'a'`, `'\n'`, `'\u{1f600}'`; `'a` of a lifetime is none.
fn end_of_char(signs: &[char], at: usize) -> usize {
    if signs.get(at + 1) == Some(&'\\') {
        // The escaped sign may be the quote itself.
        let length = signs[at + 3..].iter().position(|&sign| sign == '\'');
        return length.map_or(at, |length| at + 3 + length + 1);
    }
    if signs.get(at + 2) == Some(&'\'') {
        at + 3
    } else {
        at
    }
}

/// Line, name and length of each function of formatted code: rustfmt puts the closing brace
/// under the beginning.
pub fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indent = &line[..line.len() - line.trim_start().len()];
        let close = format!("{indent}}}");
        let one_line = line.trim_end().ends_with(['}', ';']);
        let length = lines[index..]
            .iter()
            .position(|line| line.trim_end() == close);
        let length = if one_line {
            1
        } else {
            length.map_or(1, |length| length + 1)
        };
        found.push((index + 1, name, length));
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let (before, after) = line.split_once("fn ")?;
    let modifiers = [
        "pub", "const", "async", "unsafe", "extern", "crate", "super", "in",
    ];
    let mut words = before
        .split(|sign: char| !sign.is_alphanumeric())
        .filter(|w| !w.is_empty());
    if !words.all(|word| modifiers.contains(&word)) || before.contains(['=', ':', '<']) {
        return None;
    }
    Some(
        after
            .chars()
            .take_while(|sign| sign.is_alphanumeric() || *sign == '_')
            .collect(),
    )
}
