//! Request targets and hosts: what is valid, and which path is meant (RFC 9112, section 3.2).

use std::net::Ipv6Addr;
use std::ops::Range;

/// The place of the path in a request target, or `None` if it is no valid target.
///
/// Origin-form and absolute-form lose their query, absolute-form its scheme and authority too;
/// asterisk-form, and CONNECT's authority-form if `is_connect`, are paths that no route has.
/// The path's percent-triplets are valid and not `%00`; the query may be anything but a fragment.
pub(super) fn path(target: &[u8], is_connect: bool) -> Option<Range<usize>> {
    match target {
        [b'/', ..] => path_from(target, 0),
        b"*" => Some(0..1),
        _ if is_connect && is_host(target) => Some(0..target.len()),
        _ => path_of_absolute(target),
    }
}

/// The path that starts at `from`, up to the query or the end.
fn path_from(target: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = target.get(from..)?;
    let len = rest
        .iter()
        .position(|byte| matches!(byte, b'?' | b'#' | b'%'));
    let Some(len) = len else {
        return Some(from..target.len());
    };
    let (plain, mut rest) = rest.split_at_checked(len)?;
    let mut end = from + plain.len();
    loop {
        let step = match rest {
            [] => return Some(from..end),
            [b'#', ..] => return None,
            [b'?', query @ ..] => return (!query.contains(&b'#')).then_some(from..end),
            [b'%', b'0', b'0', ..] => return None,
            [b'%', ..] if !is_triplet(rest) => return None,
            [b'%', ..] => 3,
            [_, ..] => 1,
        };
        end += step;
        rest = rest.get(step..)?;
    }
}

#[cold]
fn path_of_absolute(target: &[u8]) -> Option<Range<usize>> {
    let schemes: [&[u8]; 2] = [b"http://", b"https://"];
    let authority_at = schemes
        .iter()
        .find(|scheme| {
            target
                .get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        })?
        .len();
    let rest = target.get(authority_at..)?;
    let len = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    let (authority, rest) = rest.split_at_checked(len.unwrap_or(rest.len()))?;
    // An empty host is no http URI (RFC 9110, section 4.2.1); userinfo is no host.
    if matches!(authority, [] | [b':', ..]) || !is_host(authority) {
        return None;
    }
    match rest {
        [b'/', ..] => path_from(target, authority_at + authority.len()),
        // No path means "/" (RFC 9110, section 4.2.3), and the scheme ends with one.
        _ if rest.contains(&b'#') => None,
        _ => Some(authority_at - 1..authority_at),
    }
}

/// Whether a field value or an authority is `uri-host [ ":" port ]` (RFC 9110, section 7.2);
/// the empty one is.
pub(super) fn is_host(value: &[u8]) -> bool {
    let port = match value {
        [b'[', literal @ ..] => after_ip_literal(literal),
        _ => after_reg_name(value),
    };
    match port {
        Some([]) => true,
        Some([b':', digits @ ..]) => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// What follows a reg-name, which any IPv4 address is too (RFC 3986, section 3.2.2).
fn after_reg_name(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [b'%', ..] if is_triplet(rest) => rest.get(3..)?,
            [byte, tail @ ..] if is_unreserved_or_sub_delim(*byte) => tail,
            _ => return Some(rest),
        };
    }
}

/// What follows an IPv6 or a future address in brackets, of which the first is taken off.
#[cold]
fn after_ip_literal(value: &[u8]) -> Option<&[u8]> {
    let len = value.iter().position(|byte| *byte == b']')?;
    let (address, rest) = value.split_at_checked(len)?;
    let valid = match address {
        [b'v' | b'V', future @ ..] => is_future_address(future),
        _ => str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok()),
    };
    if valid { rest.get(1..) } else { None }
}

/// `1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`.
fn is_future_address(text: &[u8]) -> bool {
    let Some(dot) = text.iter().position(|byte| *byte == b'.') else {
        return false;
    };
    let (version, address) = text.split_at(dot);
    let address = address.get(1..).unwrap_or_default();
    !version.is_empty()
        && version.iter().all(u8::is_ascii_hexdigit)
        && !address.is_empty()
        && address
            .iter()
            .all(|byte| *byte == b':' || is_unreserved_or_sub_delim(*byte))
}

fn is_triplet(text: &[u8]) -> bool {
    matches!(text, [b'%', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

fn is_unreserved_or_sub_delim(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}
