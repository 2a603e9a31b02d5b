//! Which of the bank's resources a path names.

use percent_encoding::percent_decode;

/// What a path names. An id of `None` names a cliente that cannot exist: who finds everything
/// else in order answers 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `/clientes/{id}/transacoes`
    Transacoes(Option<i64>),
    /// `/clientes/{id}/extrato`
    Extrato(Option<i64>),
    /// `/healthz`: is the process serving?
    Healthz,
    /// `/health`: the database, the queue, the driver
    Health,
    /// `/metrics`: on the admin address only
    Metrics,
    /// Any other path
    NotFound,
}

impl Route {
    /// The field line `Allow` of this path (RFC 9110 10.2.1), empty where nothing is allowed.
    pub fn allow(self) -> &'static str {
        match self {
            Route::Transacoes(_) => "Allow: POST\r\n",
            Route::Extrato(_) | Route::Healthz | Route::Health | Route::Metrics => {
                "Allow: GET, HEAD\r\n"
            }
            Route::NotFound => "",
        }
    }
}

/// Finds the route of a path: raw, without its query, percent-encoding not yet decoded.
///
/// Segments are split first and decoded then (RFC 3986 2.4), so `%2F` never separates. A slash at
/// the end makes another path, which is not found.
pub fn route(path: &[u8]) -> Route {
    let Some(path) = path.strip_prefix(b"/") else {
        return Route::NotFound;
    };
    let mut segments = path.split(|&byte| byte == b'/');
    let parts = (segments.next(), segments.next(), segments.next());
    if segments.next().is_some() {
        return Route::NotFound;
    }
    match parts {
        (Some(clientes), Some(id), Some(last)) if is(clientes, b"clientes") && !id.is_empty() => {
            if is(last, b"transacoes") {
                Route::Transacoes(read_id(id))
            } else if is(last, b"extrato") {
                Route::Extrato(read_id(id))
            } else {
                Route::NotFound
            }
        }
        (Some(word), None, _) if is(word, b"healthz") => Route::Healthz,
        (Some(word), None, _) if is(word, b"health") => Route::Health,
        (Some(word), None, _) if is(word, b"metrics") => Route::Metrics,
        _ => Route::NotFound,
    }
}

/// Whether a raw segment spells `word`.
fn is(segment: &[u8], word: &[u8]) -> bool {
    segment == word || percent_decode(segment).eq(word.iter().copied())
}

/// The id that a raw segment spells: plain decimal, no sign, no leading zero, 64 bits.
fn read_id(segment: &[u8]) -> Option<i64> {
    let mut digits = percent_decode(segment).peekable();
    if digits.peek() == Some(&b'0') {
        digits.next();
        return digits.next().is_none().then_some(0);
    }
    digits.try_fold(0_i64, |id, digit| match digit {
        b'0'..=b'9' => id.checked_mul(10)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::Route::{Extrato, Health, Healthz, Metrics, NotFound, Transacoes};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths() {
        let cases: &[(&str, Route)] = &[
            ("/clientes/1/transacoes", Transacoes(Some(1))),
            ("/clientes/1/extrato", Extrato(Some(1))),
            ("/clientes/6/extrato", Extrato(Some(6))),
            ("/clientes/0/extrato", Extrato(Some(0))),
            (
                "/clientes/9223372036854775807/extrato",
                Extrato(Some(i64::MAX)),
            ),
            ("/clientes/9223372036854775808/extrato", Extrato(None)),
            ("/clientes/99999999999999999999999/extrato", Extrato(None)),
            ("/clientes/00001/extrato", Extrato(None)),
            ("/clientes/00/extrato", Extrato(None)),
            ("/clientes/-1/extrato", Extrato(None)),
            ("/clientes/+1/extrato", Extrato(None)),
            ("/clientes/1x/transacoes", Transacoes(None)),
            ("/clientes/1.0/transacoes", Transacoes(None)),
            ("/clientes/%20/transacoes", Transacoes(None)),
            ("/clientes/%31/extrato", Extrato(Some(1))),
            ("/clientes/1%30/extrato", Extrato(Some(10))),
            ("/clientes/%30%31/extrato", Extrato(None)),
            ("/clientes/1%2Fextrato", NotFound),
            ("/clientes/1%2F2/extrato", Extrato(None)),
            ("/clientes%2F1/extrato", NotFound),
            ("/%63lientes/1/extrat%6f", Extrato(Some(1))),
            ("/Clientes/1/extrato", NotFound),
            ("/clientes/1/extrato/", NotFound),
            ("/clientes/1/transacoes/2", NotFound),
            ("/clientes//extrato", NotFound),
            ("//clientes/1/extrato", NotFound),
            ("/clientes/1", NotFound),
            ("/clientes/1/", NotFound),
            ("/clientes", NotFound),
            ("/healthz", Healthz),
            ("/health%7A", Healthz),
            ("/healthz/", NotFound),
            ("/health", Health),
            ("/metrics", Metrics),
            ("/", NotFound),
            ("", NotFound),
            ("*", NotFound),
            ("clientes/1/extrato", NotFound),
        ];
        for (path, expected) in cases {
            assert_eq!(route(path.as_bytes()), *expected, "{path}");
        }
    }

    #[test]
    fn every_found_path_allows_something() {
        assert_eq!(Transacoes(None).allow(), "Allow: POST\r\n");
        for route in [Extrato(Some(1)), Healthz, Health, Metrics] {
            assert_eq!(route.allow(), "Allow: GET, HEAD\r\n");
        }
        assert_eq!(NotFound.allow(), "");
    }

    proptest! {
        #[test]
        fn an_id_is_found_again(id in 0..=i64::MAX) {
            let path = format!("/clientes/{id}/extrato");
            prop_assert_eq!(route(path.as_bytes()), Extrato(Some(id)));
        }

        #[test]
        fn an_id_is_read_as_the_standard_library_does(id in "[0-9]{1,21}") {
            let path = format!("/clientes/{id}/transacoes");
            let expected = id.parse().ok().filter(|n: &i64| n.to_string() == id);
            prop_assert_eq!(route(path.as_bytes()), Transacoes(expected));
        }

        #[test]
        fn random_bytes_never_panic(path in prop::collection::vec(any::<u8>(), 0..64)) {
            route(&path);
        }
    }
}
