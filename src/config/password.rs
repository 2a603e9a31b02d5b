//! The password that `DATABASE_URL` does not have: in the environment, or in a file of its own,
//! as Docker's secrets and systemd's credentials are.

use crate::limits;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// `PGPASSWORD`, or the contents of `PGPASSWORD_FILE` without the line's end that an editor leaves
/// there. An empty variable is one that is not set.
///
/// # Errors
/// Both are set, the first is no text, or the file holds no password. A sentence without any
/// secret.
pub(super) fn choose(
    password: Option<OsString>,
    file: Option<impl AsRef<Path>>,
) -> Result<Option<String>, String> {
    let password = password.filter(|password| !password.is_empty());
    let password = password.map(OsString::into_string).transpose();
    let password = password.map_err(|_| "PGPASSWORD is not UTF-8")?;
    let file = file.filter(|file| !file.as_ref().as_os_str().is_empty());
    match (password, file) {
        (Some(_), Some(_)) => {
            Err("PGPASSWORD and PGPASSWORD_FILE are both set: unset one of them".into())
        }
        (None, Some(file)) => read(file.as_ref()).map(Some),
        (password, None) => Ok(password),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let fault = |why: &str| format!("PGPASSWORD_FILE={}: {why}", path.display());
    let bytes_max = limits::PASSWORD_BYTES_MAX;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes))
        .map_err(|error| fault(&error.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|count| count > bytes_max) {
        return Err(fault(&format!("more than {bytes_max} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| fault("it is not UTF-8"))?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(fault("it is empty"));
    }
    if password.contains(['\n', '\r', '\0']) {
        return Err(fault("a password is one line, without NUL"));
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_s_password_is_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let long = "a".repeat(usize::try_from(limits::PASSWORD_BYTES_MAX).unwrap());
        #[rustfmt::skip]
        let cases: [(&[u8], Result<&str, &str>); 11] = [
            (b"secret", Ok("secret")),
            (b"secret\n", Ok("secret")),
            (b"secret\r\n", Ok("secret")),
            (b" sec ret \n", Ok(" sec ret ")),
            ("señha".as_bytes(), Ok("señha")),
            (long.as_bytes(), Ok(&long)),
            (b"", Err("empty")),
            (b"\n", Err("empty")),
            (b"one\ntwo\n", Err("one line")),
            (b"\xff", Err("not UTF-8")),
            (&[long.as_bytes(), b"a"].concat(), Err("more than")),
        ];
        for (contents, expected) in cases {
            std::fs::write(&path, contents).unwrap();
            match (choose(None, Some(&path)), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.as_deref(), Some(expected)),
                (Err(said), Err(part)) => {
                    assert!(
                        said.contains(part) && said.contains("PGPASSWORD_FILE="),
                        "{said}"
                    );
                }
                (found, expected) => panic!("{found:?} is not {expected:?}"),
            }
        }
    }

    #[test]
    fn one_of_both_is_set_and_empty_is_not() {
        use std::os::unix::ffi::OsStringExt;
        let some = |text: &str| Some(OsString::from(text));
        let nowhere = Path::new("/nowhere/secret");
        assert_eq!(choose(None, None::<&Path>), Ok(None));
        assert_eq!(choose(some("a"), None::<&Path>), Ok(Some("a".into())));
        assert_eq!(choose(some("a"), Some("")), Ok(Some("a".into())));
        assert_eq!(choose(some(""), Some("")), Ok(None));
        let both = choose(some("secret"), Some(nowhere)).unwrap_err();
        assert!(both.contains("both") && !both.contains("secret:"), "{both}");
        let missing = choose(some(""), Some(nowhere)).unwrap_err();
        assert!(missing.contains("/nowhere/secret"), "{missing}");
        let latin1 = Some(OsString::from_vec(b"se\xf1ha".to_vec()));
        let said = choose(latin1, None::<&Path>).unwrap_err();
        assert_eq!(said, "PGPASSWORD is not UTF-8");
    }
}
