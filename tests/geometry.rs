//! Smoke
use spinefx::itk::*;
use spinefx::monitor::Monitor;
use spinefx::volume::*;

fn oblique() -> Volume<i16> {
    let (s, c) = 0.3_f64.sin_cos();
    let grid = Grid::new(
        [5, 6, 7],
        [0.5, 0.7, 2.0],
        [-10.0, 20.0, 30.0],
        [[0.0, c, -s], [0.0, s, c], [-1.0, 0.0, 0.0]],
    )
    .unwrap();
    let voxels = (0..grid.len()).map(|v| v as i16 * 3 - 100).collect();
    Volume::new(grid, voxels).unwrap()
}

#[test]
fn smoke() {
    let v = oblique();
    let o = orient(&v).unwrap();
    println!("{:?}", o.grid());
    for k in 0..o.grid().size()[2] {
        for j in 0..o.grid().size()[1] {
            for i in 0..o.grid().size()[0] {
                let p = o.grid().position_lps([i as f64, j as f64, k as f64]);
                let q = v.grid().index_of(p).map(|x| x.round() as usize);
                assert_eq!(o.at([i, j, k]), v.at(q));
            }
        }
    }
    let m = Monitor::default();
    let r = resample(&v, o.grid(), Interpolation::Linear, 0, &m).unwrap();
    assert_eq!(r.voxels(), o.voxels());
    let r = resample(&v, o.grid(), Interpolation::Nearest, 0, &m).unwrap();
    assert_eq!(r.voxels(), o.voxels());
    let dir = tempfile::tempdir().unwrap();
    for f in FileFormat::ALL {
        let path = dir.path().join(format!("a{}", f.extension()));
        write_volume(&v, &path).unwrap();
        let b = read_volume(&path, 1000).unwrap();
        assert_eq!(b.voxels(), v.voxels());
        assert!(b.grid().same_place(v.grid(), 1e-4), "{:?}", b.grid());
        println!("{}", read_volume(&path, 100).unwrap_err());
    }
}
