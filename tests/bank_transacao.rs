//! Bodies of POST /clientes/{id}/transacoes: what is a transacao, what is 400, what is 422.

use crebito::bank::{Descricao, Refusal, read};
use proptest::prelude::*;
use serde_json::Value;

/// Reads `body`; gives the outcome in one line: `valor descricao`, `400` or `422`.
fn outcome(body: &[u8]) -> String {
    match read(body) {
        Ok(pedido) => format!("{} {}", pedido.valor, pedido.descricao.as_str()),
        Err(Refusal::Json) => "400".to_owned(),
        Err(Refusal::Rules) => "422".to_owned(),
    }
}

fn check(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter(|(body, expected)| outcome(body.as_bytes()) != *expected)
        .map(|(body, expected)| {
            format!("{body}: {} instead of {expected}", outcome(body.as_bytes()))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn transacoes() {
    check(&[
        (
            r#"{"valor":1000,"tipo":"c","descricao":"descricao"}"#,
            "1000 descricao",
        ),
        (
            r#"{"valor":1000,"tipo":"d","descricao":"descricao"}"#,
            "-1000 descricao",
        ),
        (r#"{"descricao":"a","tipo":"c","valor":1}"#, "1 a"),
        (
            " \t\r\n{ \"valor\" : 1 ,\n\"tipo\":\"c\",\"descricao\":\"a\" } \r\n",
            "1 a",
        ),
        (
            r#"{"valor":9007199254740993,"tipo":"c","descricao":"a"}"#,
            "9007199254740993 a",
        ),
        (
            r#"{"valor":9223372036854775807,"tipo":"d","descricao":"a"}"#,
            "-9223372036854775807 a",
        ),
        (r#"{"valor":1,"tipo":"c","descricao":" "}"#, "1  "),
        (r#"{"valor":1,"tipo":"c","descricao":"éééééé"}"#, "1 éééééé"),
        (
            r#"{"valor":1,"tipo":"c","descricao":"😀😀😀😀😀😀😀😀😀😀"}"#,
            "1 😀😀😀😀😀😀😀😀😀😀",
        ),
        (
            r#"{"valor":1,"tipo":"c","descricao":"\u00e9\ud83d\uDE00\n\"\\\/"}"#,
            "1 é😀\n\"\\/",
        ),
        (r#"{"valor":1,"tipo":"\u0063","descricao":"a"}"#, "1 a"),
        (r#"{"v\u0061lor":1,"tipo":"c","\u0064escricao":"a"}"#, "1 a"),
    ]);
}

#[test]
fn unknown_fields_are_ignored_and_checked() {
    let with = |field: &str| format!(r#"{{"valor":1,"tipo":"c","descricao":"a",{field}}}"#);
    for (field, expected) in [
        (r#""x":1e400"#, "1 a"),
        (r#""x":-0.5E-7,"x":[true,false,null,{"valor":2}]"#, "1 a"),
        (r#""":"","\u0000":"\u0000""#, "1 a"),
        (r#""x":"\\ud800""#, "1 a"),
        (r#""x":"\ud83d\ude00""#, "1 a"),
        (r#""Valor":2,"valor ":3"#, "1 a"),
        (r#""x":01"#, "400"),
        (r#""x":+1"#, "400"),
        (r#""x":.5"#, "400"),
        (r#""x":1."#, "400"),
        (r#""x":1e"#, "400"),
        (r#""x":NaN"#, "400"),
        (r#""x":'a'"#, "400"),
        (r#""x":"\x""#, "400"),
        (r#""x":"\u12""#, "400"),
        (r#""x":[1,]"#, "400"),
        (r#""x":{"a":1,}"#, "400"),
        (r#""x":{a:1}"#, "400"),
        (r#""x":[1}"#, "400"),
        (r#""x""#, "400"),
        (r#""x":"#, "400"),
        (r#""x":"\ud800""#, "400"),
        (r#""x":"\udc00""#, "400"),
        (r#""x":"\udc00\ud800""#, "400"),
        (r#""x":"\ud800\ud800\udc00""#, "400"),
        (r#""x":"\ud800\\udc00""#, "400"),
        (r#""x":"\\\ud800""#, "400"),
        (r#""\ud800":1"#, "400"),
        (r#""x":["\ud800"]"#, "400"),
        ("\"x\":\"\n\"", "400"),
        ("\"x\":\"\0\"", "400"),
    ] {
        check(&[(&with(field), expected)]);
    }
}

#[test]
fn not_a_json_object() {
    let whole = r#"{"valor":1,"tipo":"c","descricao":"a"}"#;
    for len in 0..whole.len() {
        check(&[(&whole[..len], "400")]);
    }
    check(&[
        ("null", "400"),
        ("1", "400"),
        (r#""a""#, "400"),
        (r#"[1,"c","a"]"#, "400"),
        (r#"[{"valor":1,"tipo":"c","descricao":"a"}]"#, "400"),
        (r#"{"valor":1,"tipo":"c","descricao":"a"} x"#, "400"),
        (r#"{"valor":1,"tipo":"c","descricao":"a"}{}"#, "400"),
        ("{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"a\"}\0", "400"),
        (
            "\u{feff}{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"a\"}",
            "400",
        ),
        (r#"{"valor":1,"tipo":"c","descricao":"a",}"#, "400"),
        (r#"{valor:1,"tipo":"c","descricao":"a"}"#, "400"),
        (r#"{"valor":1,"valor":1,"tipo":"c","descricao":"a"}"#, "400"),
        (
            r#"{"valor":1,"tipo":"c","descricao":"a","tip\u006f":"c"}"#,
            "400",
        ),
        (
            r#"{"valor":1,"tipo":"c","descricao":"a","descricao":null}"#,
            "400",
        ),
        (r#"{"valor":01,"tipo":"c","descricao":"a"}"#, "400"),
        (r#"{"valor":+1,"tipo":"c","descricao":"a"}"#, "400"),
        (r#"{"valor":.5,"tipo":"c","descricao":"a"}"#, "400"),
        (r#"{"valor":1.,"tipo":"c","descricao":"a"}"#, "400"),
        (r#"{"valor":1,"tipo":"c","descricao":"\ud800"}"#, "400"),
        (r#"{"valor":1,"tipo":"\udc00","descricao":"a"}"#, "400"),
        // What breaks a rule does not hide what is no JSON.
        (r#"{"valor":0,"tipo":"c","descricao":"a""#, "400"),
        (r#"{"valor":1.5,"tipo":"x","descricao":""} x"#, "400"),
        (r#"{"valor":1e400,"valor":1}"#, "400"),
    ]);
    for bytes in [
        &b"\xff"[..],
        b"{\"x\":\"\xff\"}",
        b"{\"x\":\"\xed\xa0\x80\"}",
        b"{\"\xc0\x80\":1}",
    ] {
        assert_eq!(outcome(bytes), "400", "{bytes:?}");
    }
}

#[test]
fn a_field_breaks_its_rule() {
    let digits_401 = format!("1{}", "0".repeat(400));
    for valor in [
        "0",
        "-0",
        "-1",
        "1.0",
        "1.2",
        "1e2",
        "1E0",
        "0.1",
        "null",
        "true",
        "\"1\"",
        "[]",
        "[1]",
        "{}",
        "\"\"",
        "9223372036854775808",
        "18446744073709551617",
        "-9223372036854775808",
        "1e400",
        &digits_401,
    ] {
        let body = format!(r#"{{"valor":{valor},"tipo":"c","descricao":"a"}}"#);
        check(&[(&body, "422")]);
    }
    for tipo in [
        r#""""#,
        r#""x""#,
        r#""C""#,
        r#""cd""#,
        r#""c ""#,
        r#""c\u0000""#,
        "null",
        "1",
    ] {
        let body = format!(r#"{{"valor":1,"tipo":{tipo},"descricao":"a"}}"#);
        check(&[(&body, "422")]);
    }
    for descricao in [
        r#""""#,
        r#""12345678901""#,
        r#""😀😀😀😀😀😀😀😀😀😀😀""#,
        r#""\ud83d\ude00\ud83d\ude00\ud83d\ude00\ud83d\ude00\ud83d\ude00\ud83d\ude00123456""#,
        r#""a\u0000b""#,
        r#""\u0000""#,
        "null",
        "1",
        r#"["a"]"#,
        r#"{"a":"a"}"#,
    ] {
        let body = format!(r#"{{"valor":1,"tipo":"c","descricao":{descricao}}}"#);
        check(&[(&body, "422")]);
    }
    check(&[
        ("{}", "422"),
        (r#"{"tipo":"c","descricao":"a"}"#, "422"),
        (r#"{"valor":1,"descricao":"a"}"#, "422"),
        (r#"{"valor":1,"tipo":"c"}"#, "422"),
    ]);
}

#[test]
fn depth_neither_overflows_nor_refuses() {
    for n in [100, 1_000, 2_000, 100_000] {
        let deep = format!("{}{}", "[".repeat(n), "]".repeat(n));
        let objects = format!("{}1{}", r#"{"a":"#.repeat(n), "}".repeat(n));
        check(&[
            (
                &format!(r#"{{"valor":1,"tipo":"c","descricao":"a","x":{deep}}}"#),
                "1 a",
            ),
            (
                &format!(r#"{{"valor":1,"tipo":"c","descricao":"a","x":{objects}}}"#),
                "1 a",
            ),
            (
                &format!(r#"{{"valor":{deep},"tipo":"c","descricao":"a"}}"#),
                "422",
            ),
            (&"[".repeat(n), "400"),
            (&format!(r#"{{"valor":{}"#, "[".repeat(n)), "400"),
            (&format!(r#"{{"x":{}"#, "[".repeat(n)), "400"),
        ]);
    }
}

/// JSON values that serde_json's `Value` takes too: no depth beyond its own, no 1e400.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(Value::from("c")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let name = prop_oneof![Just("valor".to_owned()), ".{0,6}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// What the rules say of a body that is a JSON object.
fn judge(body: &Value) -> Option<(i64, &str)> {
    let valor = body.get("valor")?.as_i64().filter(|valor| *valor > 0)?;
    let descricao = body.get("descricao")?.as_str()?;
    let chars = descricao.chars().count();
    if !(1..=10).contains(&chars) || descricao.contains('\0') {
        return None;
    }
    match body.get("tipo")?.as_str()? {
        "c" => Some((valor, descricao)),
        "d" => Some((-valor, descricao)),
        _ => None,
    }
}

fn body() -> impl Strategy<Value = Value> {
    let field = |name: &'static str, good: BoxedStrategy<Value>| {
        let value = prop_oneof![8 => good, 1 => json_value()];
        prop::option::weighted(0.95, value.prop_map(move |value| (name.to_owned(), value)))
    };
    let valor = (1..=i64::MAX).prop_map(Value::from).boxed();
    let tipo = prop_oneof![Just("c"), Just("d")]
        .prop_map(Value::from)
        .boxed();
    let descricao = r"(.|\n){0,11}".prop_map(Value::from).boxed();
    let other = prop::collection::vec((".{0,10}", json_value()), 0..3);
    (
        field("valor", valor),
        field("tipo", tipo),
        field("descricao", descricao),
        other,
    )
        .prop_map(|(valor, tipo, descricao, other)| {
            let known = [valor, tipo, descricao].into_iter().flatten();
            Value::Object(other.into_iter().chain(known).collect())
        })
}

/// The same JSON with every character of every string escaped.
fn escape_all(json: &str) -> String {
    let value: Value = serde_json::from_str(json).expect("made by serde_json");
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                format!("{}:{}", escape_string(name), escape_all(&value.to_string()))
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::String(text) => escape_string(&text),
        other => other.to_string(),
    }
}

fn escape_string(text: &str) -> String {
    let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
    format!("\"{}\"", units.collect::<String>())
}

proptest! {
    #[test]
    fn read_as_the_rules_say(body in body()) {
        let expected = judge(&body)
            .map_or("422".to_owned(), |(valor, descricao)| format!("{valor} {descricao}"));
        for text in [body.to_string(), format!("{body:#}"), escape_all(&body.to_string())] {
            prop_assert_eq!(outcome(text.as_bytes()), &*expected, "{}", text);
        }
    }

    #[test]
    fn damaged_bodies_are_400_when_the_oracle_says_so(
        body in body(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = body.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let object = serde_json::from_slice::<Value>(&bytes).map(|value| value.is_object());
        match (outcome(&bytes).as_str(), object) {
            ("400", Ok(true)) => {
                // The oracle keeps the last of two equal fields; nothing else may differ.
                let text = String::from_utf8_lossy(&bytes);
                let twice = ["valor", "tipo", "descricao"]
                    .iter()
                    .any(|name| text.matches(&format!("\"{name}\":")).count() > 1);
                prop_assert!(twice, "refused: {}", text);
            }
            ("400", _) => {}
            (_, Ok(true)) => {}
            (found, Ok(false)) => prop_assert!(false, "{} for no object", found),
            (found, Err(error)) => {
                // A number out of range is JSON all the same (RFC 8259 6).
                let text = error.to_string();
                prop_assert!(text.starts_with("number out of range"), "{}: {}", found, text);
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn random_json_like_text_never_panics(text in r#"[{}\[\]",:\\u0-9a-fvlortipd ]{0,60}"#) {
        let object = serde_json::from_str::<Value>(&text).is_ok_and(|value| value.is_object());
        prop_assert!(!object || outcome(text.as_bytes()) != "400" || text.contains("valor"));
    }

    #[test]
    fn a_descricao_is_kept_as_it_is(text in r"(.|\n|\x00){0,12}") {
        let chars = text.chars().count();
        let good = (1..=10).contains(&chars) && !text.contains('\0');
        let kept = Descricao::new(&text);
        let kept = kept.as_ref().map(Descricao::as_str);
        prop_assert_eq!(kept, good.then_some(text.as_str()));
    }
}
