//! What proves to an archive who asks. Values are marked as sensitive and never shown.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use std::fs;
use std::path::Path;

/// Longest header value. Tokens with many claims have a few thousand bytes.
const MAX_BYTES: usize = 16 << 10;

/// A header value `Bearer …` or `Basic …`, and nothing else.
pub(super) fn parse(value: &str) -> Option<HeaderValue> {
    let (scheme, credentials) = value.split_once(' ')?;
    let known = ["bearer", "basic"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let visible = !credentials.is_empty() && credentials.bytes().all(|byte| byte.is_ascii_graphic());
    if !known || !visible || value.len() > MAX_BYTES {
        return None;
    }
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The header value of a file that holds a token.
pub(super) fn bearer_of_file(path: &Path) -> Result<HeaderValue, String> {
    let token = one_line(path)?;
    let reason = || format!("{}: not one token of visible characters", path.display());
    parse(&format!("Bearer {token}")).ok_or_else(reason)
}

/// The header value of a file that holds `user:password` (RFC 7617, UTF-8).
pub(super) fn basic_of_file(path: &Path) -> Result<HeaderValue, String> {
    let pair = one_line(path)?;
    let reason = || format!("{}: not one line 'user:password'", path.display());
    if pair.split_once(':').is_none_or(|(user, _)| user.is_empty()) || pair.contains(char::is_control) {
        return Err(reason());
    }
    parse(&format!("Basic {}", STANDARD.encode(pair))).ok_or_else(reason)
}

fn one_line(path: &Path) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_visible_credential_is_taken_and_none_is_shown() {
        for good in ["Bearer abc.def-1", "bearer x", "Basic dTpw"] {
            let value = parse(good).unwrap();
            assert!(value.is_sensitive() && !format!("{value:?}").contains(good));
        }
        let long = format!("Bearer {}", "x".repeat(MAX_BYTES));
        for bad in
            ["", "abc", "Bearer", "Bearer ", "Bearer a b", "Bearer a\r\nX: y", "Digest x", "Bearer ü", &long]
        {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn files_become_header_values() {
        let dir = tempfile::tempdir().unwrap();
        let file = |text: &str| {
            let path = dir.path().join("secret");
            fs::write(&path, text).unwrap();
            path
        };
        assert_eq!(basic_of_file(&file("user:pass:word\n")).unwrap(), "Basic dXNlcjpwYXNzOndvcmQ=");
        assert_eq!(bearer_of_file(&file("abc\n")).unwrap(), "Bearer abc");
        for bad in ["", "secret-only", ":secret", "user:secret\nmore"] {
            assert!(!basic_of_file(&file(bad)).unwrap_err().contains("secret\n"));
        }
        for bad in ["", "a b", "a\nb"] {
            assert!(bearer_of_file(&file(bad)).is_err());
        }
    }
}
