//! Bad input through the real server with the real model: each gets a typed error that names the
//! thing, and the same process goes on serving.

mod common;

use common::{Server, shared};
use spinefx::pipeline::{Options, Output};
use spinefx::service::client::{self, ClientError, Request, Upload};
use spinefx::volume::{Grid, Volume};
use std::collections::BTreeSet;
use std::path::Path;

async fn segment(server: &Server, upload: Upload) -> Result<client::Answer, ClientError> {
    let options = Options { outputs: BTreeSet::from([Output::Labelmap]), ..Options::default() };
    let request = Request { server: server.url.clone(), token: None, model: String::new(), options };
    client::segment(request, upload, |_| {}).await
}

fn one_file(path: &Path) -> Upload {
    let bytes = std::fs::read(path).unwrap();
    Upload::instances(std::iter::once(Ok::<_, std::io::Error>((String::from("instance"), bytes))))
}

/// 4 cm of soft tissue with a block of bone: small enough to be quick, large enough to run the network.
fn good() -> (Upload, Grid) {
    let grid = Grid::axis_aligned([40, 40, 20], [1.0, 1.0, 2.0], [-20.0, -20.0, 0.0]).unwrap();
    let mut ct = Volume::filled(grid.clone(), 40_i16);
    for k in 5..15 {
        for j in 10..30 {
            for i in 10..30 {
                ct.voxels_mut()[grid.offset([i, j, k])] = 400;
            }
        }
    }
    (Upload::Voxels(ct), grid)
}

fn reason(result: Result<client::Answer, ClientError>, what: &str) -> (String, String, String) {
    match result {
        Err(ClientError::Server { code, reason, message }) => (code, reason, message),
        Err(other) => panic!("{what}: {other}"),
        Ok(_) => panic!("{what} was segmented"),
    }
}

#[tokio::test]
async fn bad_dicom_is_refused_by_name_and_the_server_goes_on() {
    let Some(folder) = shared("S07_bad_inputs/real") else { return };
    let server = Server::start(&[]);
    for (file, code, wanted) in [
        ("MR_small.dcm", "FailedPrecondition", "DICOM_NOT_CT"),
        ("rtstruct.dcm", "FailedPrecondition", "DICOM_NOT_CT"),
        ("test-SR.dcm", "FailedPrecondition", "DICOM_NOT_CT"),
        ("MR_truncated.dcm", "InvalidArgument", "DICOM_CORRUPT"),
        ("no-pixel-data.dcm", "FailedPrecondition", "DICOM_NOT_CT"),
        ("no-pixel-spacing.dcm", "FailedPrecondition", "DICOM_NOT_CT"),
        ("no_meta.dcm", "InvalidArgument", "DICOM_NONE"),
    ] {
        let (found_code, found, message) = reason(segment(&server, one_file(&folder.join(file))).await, file);
        assert_eq!((found_code.as_str(), found.as_str()), (code, wanted), "{file}: {message}");
    }
    let (upload, grid) = good();
    let answer = segment(&server, upload).await.unwrap();
    assert!(answer.grid.same_place(&grid, 1e-6));
    assert_eq!(answer.artifacts[0].bytes.len(), grid.len());
}

#[tokio::test]
async fn text_and_nothing_are_refused() {
    let server = Server::start(&[]);
    let text = Upload::instances(std::iter::once(Ok::<_, std::io::Error>((
        String::from("notes.txt"),
        b"no DICOM at all".to_vec(),
    ))));
    let (code, found, message) = reason(segment(&server, text).await, "text");
    assert_eq!((code.as_str(), found.as_str()), ("InvalidArgument", "DICOM_NONE"), "{message}");
    let garbage = Upload::File { format: spinefx::itk::FileFormat::Nrrd, bytes: vec![7; 1000] };
    let (code, found, message) = reason(segment(&server, garbage).await, "garbage");
    assert_eq!(code, "InvalidArgument", "{found} {message}");
    // A header that claims 2 GiB of voxels with a kilobyte behind it.
    let header = "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 1024 1024 1024\n\
        space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\nencoding: raw\nendian: little\n\n";
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend([0; 1024]);
    let claim = Upload::File { format: spinefx::itk::FileFormat::Nrrd, bytes };
    let (code, found, message) = reason(segment(&server, claim).await, "2 GiB claim");
    assert!(code == "ResourceExhausted" || code == "InvalidArgument", "{code} {found} {message}");
    assert!(message.contains("claims"), "{message}");
    segment(&server, good().0).await.unwrap();
}

/// A slice without volume and a volume without bone are no errors: they hold no finding.
#[tokio::test]
async fn thin_and_empty_volumes_have_no_finding() {
    let server = Server::start(&[]);
    for (size, hu) in [([64, 64, 1], 1000_i16), ([1, 1, 1], 40), ([64, 64, 20], -1000)] {
        let grid = Grid::axis_aligned(size, [1.0; 3], [0.0; 3]).unwrap();
        let answer = segment(&server, Upload::Voxels(Volume::filled(grid.clone(), hu))).await.unwrap();
        assert_eq!(answer.artifacts[0].bytes.len(), grid.len(), "{size:?}");
    }
}

/// 200 malformed requests in a row, then a good one: same process, right answer.
#[tokio::test]
async fn two_hundred_malformed_requests_then_a_good_one() {
    let server = Server::start(&[]);
    let before = segment(&server, good().0).await.unwrap();
    for n in 0..200_u32 {
        let bytes: Vec<u8> =
            (0..500_u32).map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(n) >> 13) as u8).collect();
        let upload = match n % 3 {
            0 => Upload::File { format: spinefx::itk::FileFormat::NiftiGz, bytes },
            1 => Upload::File { format: spinefx::itk::FileFormat::MetaImage, bytes },
            _ => Upload::instances(std::iter::once(Ok::<_, std::io::Error>((format!("{n}.dcm"), bytes)))),
        };
        let (code, found, message) = reason(segment(&server, upload).await, "malformed");
        assert!(!["Internal", "Unknown"].contains(&code.as_str()), "{n}: {code} {found} {message}");
    }
    let after = segment(&server, good().0).await.unwrap();
    assert_eq!(after.artifacts, before.artifacts);
    assert_eq!(after.findings, before.findings);
}
