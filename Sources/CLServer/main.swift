print("clserver")
