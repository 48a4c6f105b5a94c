"""Who may do what, and whose files new ones are."""
import errno
import os

from mounting import (MOUNT, NOBODY, UMOUNT, MountTest, as_nobody, main, must, run, skip_unless)


class Permissions(MountTest):
    def setUp(self):
        super().setUp()
        skip_unless(os.geteuid() == 0, "only root becomes nobody")
        os.chmod(self.directory, 0o755)
        self.image = self.new_disk()

    def mode_and_owner(self, name):
        status = os.lstat(self.at(name))
        return status.st_mode & 0o7777, status.st_uid, status.st_gid

    def secret(self):
        with open(self.at("secret"), "w") as file:
            file.write("for root only")
        os.chmod(self.at("secret"), 0o600)
        return self.at("secret")

    def test_default_permissions_keep_others_out(self):
        self.mount("-w", "--volume", "p1", "-o", "allow_other,default_permissions", self.image)
        self.assertNotEqual(run(*as_nobody("cat", self.secret())).returncode, 0)
        self.assertNotEqual(run(*as_nobody("touch", self.at("new"))).returncode, 0)

    def test_default_permissions_heed_acls(self):
        skip_unless(run("setfacl", "--version").returncode == 0, "setfacl is not installed")
        self.mount("-w", "--volume", "p1", "-o", "allow_other,default_permissions", self.image)
        secret = self.secret()
        must("setfacl", "-m", f"u:{NOBODY}:r", secret)
        self.assertEqual(must(*as_nobody("cat", secret)), "for root only")
        self.assertIn("nobody:r--", must("getfacl", "-p", secret))

    def test_with_default_permissions_files_belong_to_who_makes_them(self):
        self.mount("-w", "--volume", "p1", "-o", "allow_other,default_permissions", self.image)
        os.mkdir(self.at("open"))
        os.chmod(self.at("open"), 0o1777)
        must(*as_nobody("touch", self.at("open/his")))
        self.assertEqual(self.mode_and_owner("open/his"), (0o644, NOBODY, NOBODY))

    def test_who_mounts_is_the_guest_s_root(self):
        self.skip_without_nobody()
        os.chown(self.image, NOBODY, NOBODY)
        must(*as_nobody(MOUNT, "-w", "--volume", "p1", "--pid-file", self.pid_file, self.image,
                        self.mountpoint))
        script = "umask 027; cd $0; echo x >f; mkdir d; chown 5:6 f; chmod 4750 f; stat -c %a:%u:%g f d"
        said = must(*as_nobody("sh", "-ec", script, self.mountpoint)).split()
        self.assertEqual(said, ["4750:5:6", "750:0:0"])
        must(*as_nobody(UMOUNT, self.mountpoint))

    def test_another_user_is_kept_out_without_allow_other(self):
        self.mount("-w", "--volume", "p1", self.image)
        self.assertNotEqual(run(*as_nobody("ls", self.mountpoint)).returncode, 0)

    def test_directories_with_sgid_hand_down_their_group(self):
        self.mount("-w", "--volume", "p1", self.image)
        os.mkdir(self.at("d"))
        os.chown(self.at("d"), 0, 77)
        os.chmod(self.at("d"), 0o2775)
        must("sh", "-c", "umask 022; mkdir $0/sub; touch $0/f", self.at("d"))
        self.assertEqual(self.mode_and_owner("d/f"), (0o644, 0, 77))
        self.assertEqual(self.mode_and_owner("d/sub"), (0o2755, 0, 77))

    def test_a_default_acl_takes_the_place_of_the_umask(self):
        skip_unless(run("setfacl", "--version").returncode == 0, "setfacl is not installed")
        self.mount("-w", "--volume", "p1", self.image)
        os.mkdir(self.at("d"))
        must("setfacl", "-d", "-m", "g::rwx", self.at("d"))
        must("sh", "-c", "umask 077; touch $0/f", self.at("d"))
        self.assertEqual(self.mode_and_owner("d/f")[0], 0o664)

    def test_capabilities_go_when_a_file_is_written(self):
        skip_unless(run("setcap", "-h").returncode == 0, "setcap is not installed")
        self.mount("-w", "--volume", "p1", self.image)
        with open(self.at("f"), "w") as file:
            file.write("x")
        must("setcap", "cap_net_raw+ep", self.at("f"))
        self.assertIn("cap_net_raw", must("getcap", self.at("f")))
        with open(self.at("f"), "a") as file:
            file.write("y")
        self.assertEqual(must("getcap", self.at("f")), "")

    def test_devices_of_the_guest_cannot_be_opened(self):
        self.mount("-w", "--volume", "p1", self.image)
        os.mknod(self.at("null"), 0o20666, os.makedev(1, 3))
        with self.assertRaises(OSError) as caught:
            os.open(self.at("null"), os.O_RDONLY)
        self.assertEqual(caught.exception.errno, errno.EACCES)


if __name__ == "__main__":
    main()
