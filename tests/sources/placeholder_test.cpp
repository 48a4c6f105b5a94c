// Tests of sources/.
