MUST_EXIST = "MUST_EXIST"  # in a database's settings: true where no connection is to make the file
