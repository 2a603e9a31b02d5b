//! The body of an applied transacao's answer.

/// Appends `{"limite":100000,"saldo":-9098}`, both in cents.
pub fn append_saldo_json(out: &mut Vec<u8>, limite: i64, saldo: i64) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(b"{\"limite\":");
    out.extend_from_slice(digits.format(limite).as_bytes());
    out.extend_from_slice(b",\"saldo\":");
    out.extend_from_slice(digits.format(saldo).as_bytes());
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saldo_bodies() {
        let cases = [
            (100_000, -9_098, r#"{"limite":100000,"saldo":-9098}"#),
            (0, 0, r#"{"limite":0,"saldo":0}"#),
            (
                i64::MAX,
                -i64::MAX,
                r#"{"limite":9223372036854775807,"saldo":-9223372036854775807}"#,
            ),
        ];
        for (limite, saldo, expected) in cases {
            let mut out = Vec::new();
            append_saldo_json(&mut out, limite, saldo);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
