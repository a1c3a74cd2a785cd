"""What the files say of any container, an application's or a service's."""
