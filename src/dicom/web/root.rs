//! The root of a DICOMweb service, taken apart strictly.

use url::{Host, Url};

/// Parses a root as WHATWG says, so that every spelling of an address becomes one, and refuses what no
/// root needs but a trick might. The answer's path ends with `/`.
pub(super) fn parse(root: &str) -> Result<Url, &'static str> {
    if !root.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\%".contains(&byte)) {
        return Err("holds a backslash, a percent sign or what is not visible ASCII (write xn--… names)");
    }
    if root.contains(['?', '#']) {
        return Err("has a query or a fragment");
    }
    let mut url = Url::parse(root).map_err(|_| "is no URL")?;
    check(&url)?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// What holds for roots and for the targets of redirects.
pub(super) fn check(url: &Url) -> Result<(), &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is neither http nor https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user name or a password");
    }
    if url.fragment().is_some() {
        return Err("has a query or a fragment");
    }
    // Servers disagree on what %2f, %2e, ;x and // mean, so that no prefix could be relied on.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    if !url.path().bytes().all(plain) || url.path().contains("//") {
        return Err(
            "has a path with other characters than letters, digits, '-', '.', '_', '~' and single '/'",
        );
    }
    Ok(())
}

/// Whether `url` lies at `root` or below it: scheme, host and port equal, path beginning with its path.
pub(super) fn lies_below(url: &Url, root: &Url) -> bool {
    let below = url.path().starts_with(root.path()) || format!("{}/", url.path()) == root.path();
    url.origin() == root.origin() && below
}

/// The host, for the judgement of its addresses: empty for a literal address, which stands for itself.
pub(super) fn name(url: &Url) -> &str {
    match url.host() {
        Some(Host::Domain(name)) => name,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(url: &str, root: &str) -> bool {
        lies_below(&parse(url).unwrap(), &parse(root).unwrap())
    }

    #[test]
    fn every_spelling_of_a_root_is_one() {
        for same in
            ["http://127.0.0.1/dicom-web/", "http://2130706433/dicom-web", "HTTP://0x7f.1:80/dicom-web"]
        {
            assert!(below(same, "http://127.0.0.1/dicom-web"), "{same}");
        }
        assert!(below("https://PACS.example:443/a/b/../c", "https://pacs.example/a"));
    }

    #[test]
    fn other_origins_and_paths_above_lie_outside() {
        for other in [
            "http://pacs.example/a",
            "https://pacs.example:444/a",
            "https://pacs.example./a",
            "https://pacs.example/ab",
            "https://pacs.example/",
            "https://pacs.example/a/../b",
            "https://x.pacs.example/a",
        ] {
            assert!(!below(other, "https://pacs.example/a"), "{other}");
        }
    }

    #[test]
    fn tricks_are_refused() {
        for bad in [
            "",
            "pacs.example",
            "//pacs.example",
            "ftp://pacs.example",
            "file:///etc/passwd",
            "https://u@pacs.example",
            "https://u:p@pacs.example",
            "https://pacs.example/?x",
            "https://pacs.example/#x",
            "https://pacs.example\\@evil.example",
            "https://pacs.example /",
            "https://pacs。example",
            "https://pacs%2eexample",
            "https://pacs.example/a%2f..%2fb",
            "https://pacs.example/a/..;/b",
            "https://pacs.example//a",
            "https://[::1",
            "https://pacs.example:99999",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
