"""The parts of the SpineFx panel that need Qt."""
