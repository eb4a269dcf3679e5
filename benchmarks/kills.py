def killed_and_resumed(folder, kills):
    return {"kills": 0, "same": 0, "runs": 0, "left": []}
